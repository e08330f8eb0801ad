"""R50-AOST: ResNet-50 and one set of weights for the depths 1 to 3, every fifth frame remembered.

    python launch.py --mode convert --config configs/aost_r50.py \\
        --input r50_aost.pth --output weights/aost_r50
    python launch.py --config configs/aost_r50.py --config.weights=weights/aost_r50 \\
        --video clip.mp4 --masks first.png --output out

Expected: 15.4 M weights, of which depth 1 runs 12.5 M and depth 2 13.9 M
(`--config.model.depth=1`); per-variant figures and weights were not published, the best variant has
J&F 87.0 on DAVIS 2017 val (arXiv 2203.11442). The file is one that aot-benchmark's branch `paot`
has trained.
"""

from configs import base


def get_config():
    return base.recipe("aost", encoder="resnet:50", layers=3, depth=3, gap=5)
