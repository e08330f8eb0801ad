"""AOT-T: MobileNetV2, one LSTT block; remembers annotated frames only.

    python launch.py --mode convert --config configs/aot_t.py \\
        --input AOTT_PRE_YTB_DAV.pth --output weights/aot_t
    python launch.py --config configs/aot_t.py --config.weights=weights/aot_t \\
        --video clip.mp4 --masks first.png --output out

Expected: 5.7 M weights; J&F 79.2 on DAVIS 2017 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="mobilenet_v2", layers=1, gap=9999)
