"""AOST (arXiv 2203.11442): one set of weights for the depths 1 to 3, by its encoders.

    python launch.py --mode convert --config configs/aost.py:r50 \\
        --input r50_aost.pth --output weights/aost_r50
    python launch.py --config configs/aost.py:r50 --config.weights=weights/aost_r50 \\
        --video clip.mp4 --masks first.png --output out

`--config.model.depth=1` runs the first block alone. Every fifth frame is remembered.

| variant | encoder | file | M weights | M weights run at depths 1 and 2 |
|---|---|---|---|---|
| mobilenet | MobileNetV2 | aost.pth | 8.8 | 5.8 and 7.3 |
| r50 | ResNet-50 | r50_aost.pth | 15.4 | 12.5 and 13.9 |
| swin | Swin-B | swinb_aost.pth | 65.9 | 62.9 and 64.4 |

Expected: neither figures nor weights of these variants were published; the files are those that
aot-benchmark's branch `paot` trains. The paper's best variant has J&F 87.0 on DAVIS 2017 val and
86.5 overall on YouTube-VOS.
"""

from vosjax.config import network, variant

VARIANTS = {
    "mobilenet": dict(encoder="mobilenet_v2"),
    "r50": dict(encoder="resnet:50"),
    "swin": dict(encoder="swin:b"),
}


def get_config(name="mobilenet"):
    return network("aost", layers=3, depth=3, mem_every=5, **variant(VARIANTS, name))
