"""AOT's first stage: 100,000 steps on clips made of stills.

    python launch.py --config configs/train_aot_static.py:r50 --config.data.root=DATASETS \\
        --config.train.init=ENCODER --output runs/static

`r50` names the network: configs/aot_r50.py and its neighbours, `l` where it is left out. DATASETS
holds what configs/prepare_static.py made. ENCODER is a folder of weights to start from; '' starts
the encoder from random weights.

Expected: weights in runs/static/weights for the second stage; made for accelerators, where a batch
of 16 clips is shared among the devices.
"""

import importlib

from configs import data_static
from vosjax import models


def get_config(network="l"):
    config = data_static.get_config()
    return with_network(config, network)


def with_network(config, network):
    """A training config with the family and the settings of configs/aot_NETWORK.py."""
    recipe = importlib.import_module(f"configs.aot_{network}").get_config()
    config.family, config.model = recipe.family, recipe.model
    model = models.build(config.family, **config.model)
    config.data.height, config.data.width = model.vos.size(config.data.height, config.data.width)
    remembers = recipe.gap < 9999
    config.train.update(
        gap=recipe.gap,
        memory_gap=2 if remembers else 9999,
        held="^identity/",
        no_decay="relative_value|relative_bias|position_bias_table|decoder/out",
    )
    return config
