"""R50-AOT-L: ResNet-50, three LSTT blocks, every fifth frame remembered.

    python launch.py --mode convert --config configs/aot_r50.py \\
        --input R50_AOTL_PRE_YTB_DAV.pth --output weights/aot_r50
    python launch.py --config configs/aot_r50.py --config.weights=weights/aot_r50 \\
        --video clip.mp4 --masks first.png --output out

Expected: 14.9 M weights; J&F 85.2 on DAVIS 2017 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="resnet:50", layers=3, gap=5)
