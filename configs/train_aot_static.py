"""AOT's first stage: 100,000 steps on clips made from photos.

    python launch.py --config configs/train_aot_static.py:r50 --config.data.root=DATASETS \\
        --config.train.init=ENCODER --output runs/static

`r50` is the network: a variant of configs/aot.py, by default `l`; `swin` is configs/aot_swin.py.
DATASETS holds what configs/prepare.py:static made. ENCODER is a folder of initial weights; with ''
the encoder starts from random weights.

Expected: weights in runs/static/weights for the second stage. It is meant for accelerators, over
which a batch of 16 clips is distributed.
"""

from vosjax import models
from vosjax.config import named
from vosjax.schema import NEVER


def get_config(network="l"):
    config = named("data_static")
    chosen = named("aot_swin" if network == "swin" else f"aot:{network}")
    config.family, config.model = chosen.family, chosen.model
    model = models.build(config.family, **config.model)
    config.data.height, config.data.width = model.vos.size(config.data.height, config.data.width)
    config.train.update(
        card_mem_every=chosen.mem_every,
        mem_every=2 if chosen.mem_every < NEVER else NEVER,
        held="^identity/",
        no_decay="relative_value|relative_bias|position_bias_table|decoder/out",
    )
    return config
