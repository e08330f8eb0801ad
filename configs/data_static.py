"""Clips of AOT's pre-training: warped and merged stills of the prepared sets.

    python launch.py --mode preview --config configs/data_static.py \\
        --config.data.root=DATASETS --output out

DATASETS holds what configs/prepare.py:static made.

Expected: four sheets of six clips each in `out`, each of two photos merged.
"""

from vosjax.config import training


def get_config():
    config = training("aot", encoder="mobilenet_v2", layers=3)
    folders = (
        "coco/crowds_ignored",
        "ecssd/binary",
        "msra10k/binary",
        "pascal_s/greys",
        "pascal_voc",
    )
    sets = [dict(folder=folder) for folder in folders]
    sets.insert(1, dict(folder="coco/crowds_ignored", split="val"))
    config.data.update(root="", sets=tuple(sets), rendered_weight=0.0)
    return config
