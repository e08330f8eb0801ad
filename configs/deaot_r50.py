"""R50-DeAOT-L: ResNet-50, three propagation blocks, every fifth frame remembered.

    python launch.py --mode convert --config configs/deaot_r50.py \\
        --input R50_DeAOTL_PRE_YTB_DAV.pth --output weights/deaot_r50
    python launch.py --config configs/deaot_r50.py --config.weights=weights/deaot_r50 \\
        --video clip.mp4 --masks first.png --output out

Expected: 19.8 M weights; overall 85.9 on YouTube-VOS 2019 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("deaot", encoder="resnet:50", layers=3, gap=5)
