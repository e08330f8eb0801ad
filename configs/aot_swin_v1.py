"""SwinB-AOT-L: Swin-B, three LSTT blocks as first published, every fifth frame remembered.

    python launch.py --mode convert --config configs/aot_swin_v1.py \\
        --input SwinB_AOTL_PRE_YTB_DAV.pth --output weights/aot_swin_v1
    python launch.py --config configs/aot_swin_v1.py --config.weights=weights/aot_swin_v1 \\
        --video clip.mp4 --masks first.png --output out

Expected: 65.4 M weights; J&F 85.9 on DAVIS 2017 val, overall 84.7 on YouTube-VOS 2019 val, as
published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("aot", encoder="swin:b", layers=3, gap=5)
