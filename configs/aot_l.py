"""AOT-L: AOT-B that also remembers every fifth frame.

    python launch.py --mode convert --config configs/aot_l.py \\
        --input AOTL_PRE_YTB_DAV.pth --output weights/aot_l
    python launch.py --config configs/aot_l.py --config.weights=weights/aot_l \\
        --video clip.mp4 --masks first.png --output out

Expected: 8.3 M weights; J&F 83.6 on DAVIS 2017 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="mobilenet_v2", layers=3, gap=5)
