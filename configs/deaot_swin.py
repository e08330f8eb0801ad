"""SwinB-DeAOT-L: Swin-B, three propagation blocks, every fifth frame remembered.

    python launch.py --mode convert --config configs/deaot_swin.py \\
        --input SwinB_DeAOTL_PRE_YTB_DAV.pth --output weights/deaot_swin
    python launch.py --config configs/deaot_swin.py --config.weights=weights/deaot_swin \\
        --video clip.mp4 --masks first.png --output out

Expected: 70.3 M weights; overall 86.1 on YouTube-VOS 2019 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("deaot", encoder="swin:b", layers=3, gap=5)
