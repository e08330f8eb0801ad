"""SwinB-AOST: Swin-B and one set of weights for the depths 1 to 3, every fifth frame remembered.

    python launch.py --mode convert --config configs/aost_swin.py \\
        --input swinb_aost.pth --output weights/aost_swin
    python launch.py --config configs/aost_swin.py --config.weights=weights/aost_swin \\
        --video clip.mp4 --masks first.png --output out

Expected: 65.9 M weights, of which depth 1 runs 62.9 M and depth 2 64.4 M
(`--config.model.depth=1`); per-variant figures and weights were not published, the best variant has
overall 86.5 on YouTube-VOS and J&F 87.0 on DAVIS 2017 val (arXiv 2203.11442). The file is one that
aot-benchmark's branch `paot` has trained.
"""

from configs import base


def get_config():
    return base.recipe("aost", encoder="swin:b", layers=3, depth=3, gap=5)
