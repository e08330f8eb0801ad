"""FAMNet, a reconstruction: STM with a flow-aligned decoder, ASPP and a top-20 read.

    python launch.py --config configs/famnet.py --config.weights=runs/famnet/weights \\
        --video clip.mp4 --masks first.png --output out

The weights come from configs/train_famnet.py: none were ever published.

Expected: masks, overlay, scores and run.json in `out`.
"""

from configs import base


def get_config():
    return base.recipe(
        "famnet", gap=5, align=True, aspp=True, top_k=20, kernel=None, short_side=480
    )
