"""STM: FAMNet without its additions; every fifth frame and always the previous one remembered.

    python launch.py --mode convert --config configs/stm.py --input STM_weights.pth \\
        --output weights/stm
    python launch.py --config configs/stm.py --config.weights=weights/stm \\
        --video clip.mp4 --masks first.png --output out

Expected: 38.9 M weights; J&F 81.8 on DAVIS 2017 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("famnet", gap=5, align=False, aspp=False, top_k=None, short_side=None)
