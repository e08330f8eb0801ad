"""The embedded default: AOT-T with LSTT block V2, small enough to train on a CPU.

    python launch.py --config configs/train_default.py --output runs/default \\
        --config.data.root=DATA --config.train.init=efficientnet-lite2-9656183e.pth
"""

from vosjax.train import defaults

SCALE = (  # the trunk's maps are large: adapters that start small let the identities through at once
    ("^decoder/adapter16/", 0.1), ("^decoder/adapter8/", 0.08), ("^decoder/adapter4/", 0.06),
    ("^projector/", 0.4),
    ("^identity/bank/kernel", 100.0),  # tiny in the reference, where its norm's epsilon swallows it
    ("^identity/bank/bias", 0.0))

PHOTOS = "^(coco|cocoperson|ccp|balloon)_"
VIDEOS = "^davis16_(?!dog-agility|drift-turn|motocross-bumps|bmx-bumps|dance-jump)"


def sets(photos, videos):
    """The data sets with the share of all photos and of all videos."""
    return (dict(folder="train/stills", only=PHOTOS, weight=0.9 * photos),
            dict(folder="stills", weight=0.1 * photos),
            dict(folder="train/videos", only=VIDEOS, weight=videos, gap=3))


def get_config():
    config = defaults.config("aot", encoder="efficientnet:lite2", layers=1, block="v2",
                             max_short_side=SHORT_SIDE)
    config.data.update(height=193, width=193, frames=3, max_objects=10, stills="", recipe="composed",
                       root="", sets=sets(0.7, 0.3), sets_weight=0.8, rendered_weight=0.2,
                       merge=0.5, merges=2, guests=0.5, crowd=0.2, colour=True)
    config.train.update(
        steps=4000, batch=8, cpu_devices=2, loss_stride=2, lr=1e-3, lr_min=1e-4, warmup=0.03,
        hard_begin=0.1, hard_end=0.7, hard_least=0.25, aux=0.5, freeze="^encoder/", scale=SCALE, gap=5)
    config.train.log.update(every=10, pictures=0, validate=0, checkpoint=200, clips=4, frames=8)
    return config


SHORT_SIDE = 353
