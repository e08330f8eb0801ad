"""AOT-S: MobileNetV2, two LSTT blocks; remembers annotated frames only.

    python launch.py --mode convert --config configs/aot_s.py \\
        --input AOTS_PRE_YTB_DAV.pth --output weights/aot_s
    python launch.py --config configs/aot_s.py --config.weights=weights/aot_s \\
        --video clip.mp4 --masks first.png --output out

Expected: 7.0 M weights; J&F 82.1 on DAVIS 2017 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="mobilenet_v2", layers=2, gap=9999)
