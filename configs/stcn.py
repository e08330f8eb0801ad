"""STCN: ResNet-50 keys, top-20 read, every fifth frame remembered; frames at 480 pixels.

    python launch.py --mode convert --config configs/stcn.py --input stcn.pth \\
        --output weights/stcn
    python launch.py --config configs/stcn.py --config.weights=weights/stcn \\
        --video clip.mp4 --masks first.png --output out

Files of stage 0 convert too. `--config.model.last_frame=True` also keeps the previous frame.

Expected: 54.4 M weights; J&F 85.3 on DAVIS 2017 val, as published for these weights.
"""

from configs import base


def get_config():
    return base.recipe("stcn", gap=5, top_k=20, last_frame=False, kernel=None, short_side=480)
