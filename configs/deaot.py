"""DeAOT (arXiv 2210.09782), by its variants.

    python launch.py --mode convert --config configs/deaot.py:r50 \\
        --input R50_DeAOTL_PRE_YTB_DAV.pth --output weights/deaot_r50
    python launch.py --config configs/deaot.py:r50 --config.weights=weights/deaot_r50 \\
        --video clip.mp4 --masks first.png --output out

| variant | encoder | blocks | remembers | published file | M weights | overall, YouTube-VOS 2019 |
|---|---|---|---|---|---|---|
| t | MobileNetV2 | 1 | annotated frames | DeAOTT_PRE_YTB_DAV.pth | 7.2 | 82.0 |
| s | MobileNetV2 | 2 | annotated frames | DeAOTS_PRE_YTB_DAV.pth | 10.2 | 83.8 |
| b | MobileNetV2 | 3 | annotated frames | DeAOTB_PRE_YTB_DAV.pth | 13.2 | 84.6 |
| l | MobileNetV2 | 3 | every fifth frame | DeAOTL_PRE_YTB_DAV.pth | 13.2 | 84.7 |
| r50 | ResNet-50 | 3 | every fifth frame | R50_DeAOTL_PRE_YTB_DAV.pth | 19.8 | 85.9 |
| swin | Swin-B | 3 | every fifth frame | SwinB_DeAOTL_PRE_YTB_DAV.pth | 70.3 | 86.1 |

Expected: the figures on YouTube-VOS 2019 val are those that were published for these weights.
"""

from vosjax.config import network, variant
from vosjax.schema import NEVER

VARIANTS = {
    "t": dict(encoder="mobilenet_v2", layers=1, mem_every=NEVER),
    "s": dict(encoder="mobilenet_v2", layers=2, mem_every=NEVER),
    "b": dict(encoder="mobilenet_v2", layers=3, mem_every=NEVER),
    "l": dict(encoder="mobilenet_v2", layers=3, mem_every=5),
    "r50": dict(encoder="resnet:50", layers=3, mem_every=5),
    "swin": dict(encoder="swin:b", layers=3, mem_every=5),
}


def get_config(name="t"):
    return network("deaot", **variant(VARIANTS, name))
