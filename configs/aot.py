"""AOT as first published (arXiv 2106.02638), by its variants.

    python launch.py --mode convert --config configs/aot.py:r50 \\
        --input R50_AOTL_PRE_YTB_DAV.pth --output weights/aot_r50
    python launch.py --config configs/aot.py:r50 --config.weights=weights/aot_r50 \\
        --video clip.mp4 --masks first.png --output out

| variant | encoder | LSTT blocks | remembers | published file | M weights | J&F on DAVIS 2017 val |
|---|---|---|---|---|---|---|
| t | MobileNetV2 | 1 | annotated frames | AOTT_PRE_YTB_DAV.pth | 5.7 | 79.2 |
| s | MobileNetV2 | 2 | annotated frames | AOTS_PRE_YTB_DAV.pth | 7.0 | 82.1 |
| b | MobileNetV2 | 3 | annotated frames | AOTB_PRE_YTB_DAV.pth | 8.3 | 83.3 |
| l | MobileNetV2 | 3 | every fifth frame | AOTL_PRE_YTB_DAV.pth | 8.3 | 83.6 |
| r50 | ResNet-50 | 3 | every fifth frame | R50_AOTL_PRE_YTB_DAV.pth | 14.9 | 85.2 |
| r101 | ResNet-101 | 3 | every fifth frame | R101_AOTL.pth | 33.8 | none |
| resnest101 | ResNeSt-101 | 3 | every fifth frame | RS101_AOTL.pth | 36.4 | none |
| swin | Swin-B | 3 | every fifth frame | SwinB_AOTL_PRE_YTB_DAV.pth | 65.4 | 85.9 |

Expected: the figures are those that were published for these weights; SwinB-AOT-L has 84.7 overall
on YouTube-VOS 2019 val, too. RS101_AOTL.pth is a file that aot-benchmark trains from its config
rs101_aotl.
"""

from vosjax.config import network, variant
from vosjax.schema import NEVER

VARIANTS = {
    "t": dict(encoder="mobilenet_v2", layers=1, mem_every=NEVER),
    "s": dict(encoder="mobilenet_v2", layers=2, mem_every=NEVER),
    "b": dict(encoder="mobilenet_v2", layers=3, mem_every=NEVER),
    "l": dict(encoder="mobilenet_v2", layers=3, mem_every=5),
    "r50": dict(encoder="resnet:50", layers=3, mem_every=5),
    "r101": dict(encoder="resnet:101", layers=3, mem_every=5),
    "resnest101": dict(encoder="resnest:101", layers=3, mem_every=5),
    "swin": dict(encoder="swin:b", layers=3, mem_every=5),
}


def get_config(name="t"):
    return network("aot", **variant(VARIANTS, name))
