"""Trains FAMNet by STCN's recipe: stills with one object, then videos with two.

    python launch.py --config configs/train_famnet.py --config.data.root=DATASETS \\
        --output runs/famnet

DATASETS as for configs/train_stcn.py. Both encoders can start from the same ImageNet file:
--config.train.init=query_encoder=resnet50.pth,memory_encoder=resnet50.pth

Expected: no figure is known, as the original was not published; STM with the same data gives 81.8
J&F on DAVIS 2017 val. 450 000 steps of three frames.
"""

from configs import train_stcn
from vosjax.train import defaults


def get_config():
    config = defaults.config("famnet", align=True, aspp=True, top_k=None)
    train_stcn.recipe(config)
    return config
