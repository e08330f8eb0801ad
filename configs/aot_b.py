"""AOT-B: MobileNetV2, three LSTT blocks; remembers annotated frames only.

    python launch.py --mode convert --config configs/aot_b.py \\
        --input AOTB_PRE_YTB_DAV.pth --output weights/aot_b
    python launch.py --config configs/aot_b.py --config.weights=weights/aot_b \\
        --video clip.mp4 --masks first.png --output out

Expected: 8.3 M weights; J&F 83.3 on DAVIS 2017 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="mobilenet_v2", layers=3, gap=9999)
