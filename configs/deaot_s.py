"""DeAOT-S: MobileNetV2, two propagation blocks; remembers annotated frames only.

    python launch.py --mode convert --config configs/deaot_s.py \\
        --input DeAOTS_PRE_YTB_DAV.pth --output weights/deaot_s
    python launch.py --config configs/deaot_s.py --config.weights=weights/deaot_s \\
        --video clip.mp4 --masks first.png --output out

Expected: 10.2 M weights; overall 83.8 on YouTube-VOS 2019 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("deaot", encoder="mobilenet_v2", layers=2, gap=9999)
