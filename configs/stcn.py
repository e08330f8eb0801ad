"""STCN (arXiv 2106.05210): ResNet-50 keys, a top-20 read, frames at 480 pixels.

    python launch.py --mode convert --config configs/stcn.py --input stcn.pth \\
        --output weights/stcn
    python launch.py --config configs/stcn.py --config.weights=weights/stcn \\
        --video clip.mp4 --masks first.png --output out

Every fifth frame is remembered; with `--config.model.last_frame=True` the previous frame is, too.
Files of stage 0 can be converted as well.

Expected: 54.4 M weights; J&F 85.3 on DAVIS 2017 val, as published for these weights.
"""

from vosjax.config import network


def get_config():
    return network("stcn", mem_every=5, top_k=20, last_frame=False, kernel=None, max_short_side=480)
