"""The interactive network that is embedded: it makes a mask of a box and clicks.

    python launch.py --config configs/train_interactive.py --config.marks.root=DATA \\
        --output runs/interactive

DATA holds `train/stills` and `stills` (each with images/ and masks/) and `train/videos` (DAVIS
layout), as for configs/train_default.py; its trunk is the encoder of the embedded default.

Expected: an hour on two cores, and weights of the family interactive in runs/interactive/weights,
6 MB in half precision. Validation asks for objects of sources that no step sees: J was 0.80 by a
true box, 0.75 after one click and 0.84 after three, in a window of 193 pixels around the object.
The embedded weights come from this file, but that the first 1,580 steps had the rates of a training
of 2,400. What they are worth in whole pictures stands in docs/marking.md.
"""

from vosjax.config import mark_training

PHOTOS = "^(coco|cocoperson|ccp|balloon)_"
VIDEOS = "^davis16_(?!dog-agility|drift-turn|motocross-bumps|bmx-bumps|dance-jump)"
SOURCE = (
    "trunk: the encoder of the embedded default, frozen; head: random weights, trained on objects "
    "of COCO photos (annotations CC BY 4.0), Clothing Co-Parsing (Apache-2.0), balloon photos and "
    "DAVIS 2016 train (CC BY 4.0), with simulated boxes and clicks"
)


def get_config():
    config = mark_training("interactive", side=193)
    config.marks.update(
        root="",
        sets=(
            dict(folder="train/stills", only=PHOTOS, weight=0.6),
            dict(folder="stills", weight=0.15),
            dict(folder="train/videos", only=VIDEOS, weight=0.25),
        ),
        validation=(
            dict(folder="train/stills", only="^horse_"),
            dict(folder="train/stills", only="^voc07_"),
            dict(folder="train/videos", only="^(segtrack_girl|davis16_(bmx-bumps|dance-jump))$"),
        ),
    )
    config.train.update(
        steps=1900, batch=16, lr=1e-3, lr_min=1e-5, warmup=0.02, weight_decay=0.01,
        init="encoder=default", source=SOURCE, licence="Apache-2.0",
    )  # fmt: skip
    config.train.log.update(every=20, pictures=0, validate=300, checkpoint=150)
    return config
