"""FAMNet, a reconstruction, and STM (arXiv 1904.00607), which is FAMNet without its additions.

    python launch.py --config configs/famnet.py --config.weights=runs/famnet/weights \\
        --video clip.mp4 --masks first.png --output out
    python launch.py --mode convert --config configs/famnet.py:stm --input STM_weights.pth \\
        --output weights/stm

Every fifth frame is remembered, and the previous frame in addition.

| variant | decoder | ASPP | read | published file | M weights | J&F on DAVIS 2017 val |
|---|---|---|---|---|---|---|
| famnet | along a learned flow | yes | top 20 | none | 49.0 | none |
| stm | as STM | no | all | STM_weights.pth | 38.9 | 81.8 |

Expected: STM's figure as published for these weights. FAMNet's weights come from
configs/train_stcn.py:famnet, as none were ever published.
"""

from vosjax.config import network, variant

VARIANTS = {
    "famnet": dict(align=True, aspp=True, top_k=20, kernel=None, max_short_side=480),
    "stm": dict(align=False, aspp=False, top_k=None, max_short_side=None),
}


def get_config(name="famnet"):
    return network("famnet", mem_every=5, **variant(VARIANTS, name))
