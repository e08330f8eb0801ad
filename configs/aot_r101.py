"""R101-AOT-L: ResNet-101, three LSTT blocks, every fifth frame remembered.

    python launch.py --mode convert --config configs/aot_r101.py \\
        --input R101_AOTL.pth --output weights/aot_r101
    python launch.py --config configs/aot_r101.py --config.weights=weights/aot_r101 \\
        --video clip.mp4 --masks first.png --output out

Expected: 33.8 M weights; no figure was published for it.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="resnet:101", layers=3, gap=5)
