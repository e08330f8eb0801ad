"""DeAOT-T: MobileNetV2, one propagation block; remembers annotated frames only.

    python launch.py --mode convert --config configs/deaot_t.py \\
        --input DeAOTT_PRE_YTB_DAV.pth --output weights/deaot_t
    python launch.py --config configs/deaot_t.py --config.weights=weights/deaot_t \\
        --video clip.mp4 --masks first.png --output out

Expected: 7.2 M weights; overall 82.0 on YouTube-VOS 2019 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("deaot", encoder="mobilenet_v2", layers=1, gap=9999)
