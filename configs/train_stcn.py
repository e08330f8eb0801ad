"""STCN's last stage: YouTube-VOS and DAVIS in three frames, soft predictions fed back.

    python launch.py --config configs/train_stcn.py --config.data.root=DATASETS \\
        --config.train.init=WEIGHTS --output runs/stcn

WEIGHTS is a folder to start from, as that of the stage before; DATASETS as in configs/data_stcn.py.

Expected: J&F near 85 on DAVIS 2017 val after all stages, as published.
"""

from configs import data_stcn


def get_config():
    config = data_stcn.get_config()
    config.model = dict(top_k=None)
    config.train.update(
        batch=8, optimizer="adam", lr=1e-5, lr_min=0.0, encoder_lr=1.0, milestones=(125_000,),
        weight_decay=1e-7, clip=0.0, jaccard_weight=0.0, aux=0.0, memory_gap=1, gap=5,
        feedback="soft", own_from=0.0,
        hard_begin=20_000 / data_stcn.STEPS, hard_end=70_000 / data_stcn.STEPS)
    return config
