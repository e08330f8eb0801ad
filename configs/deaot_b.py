"""DeAOT-B: MobileNetV2, three propagation blocks; remembers annotated frames only.

    python launch.py --mode convert --config configs/deaot_b.py \\
        --input DeAOTB_PRE_YTB_DAV.pth --output weights/deaot_b
    python launch.py --config configs/deaot_b.py --config.weights=weights/deaot_b \\
        --video clip.mp4 --masks first.png --output out

Expected: 13.2 M weights; overall 84.6 on YouTube-VOS 2019 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("deaot", encoder="mobilenet_v2", layers=3, gap=9999)
