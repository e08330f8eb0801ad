"""DeAOT-L: MobileNetV2, three propagation blocks, every fifth frame remembered.

    python launch.py --mode convert --config configs/deaot_l.py \\
        --input DeAOTL_PRE_YTB_DAV.pth --output weights/deaot_l
    python launch.py --config configs/deaot_l.py --config.weights=weights/deaot_l \\
        --video clip.mp4 --masks first.png --output out

Expected: 13.2 M weights; overall 84.7 on YouTube-VOS 2019 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("deaot", encoder="mobilenet_v2", layers=3, gap=5)
