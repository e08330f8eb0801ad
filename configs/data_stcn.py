"""Clips of STCN's last stage: three frames of two objects, with a skip that changes by phases.

    python launch.py --mode preview --config configs/data_stcn.py --config.data.root=DATASETS \\
        --output out

DATASETS holds what configs/prepare.py:youtube_vos and :davis made.

Expected: four sheets in `out`, and in a folder for each later skip; six rows of three frames.
"""

from vosjax.config import training
from vosjax.data.choose import skip_curriculum

STEPS = 150_000


def get_config():
    config = training("stcn")
    (_, first), *later = skip_curriculum(STEPS)
    config.train.update(steps=STEPS)
    config.data.update(
        root="",
        sampler="stcn",
        frames=3,
        height=384,
        width=384,
        max_objects=2,
        skip=first,
        rendered_weight=0.0,
        sets=(dict(folder="youtube_vos/2019", thin=5), dict(folder="davis/2017_480p", repeat=5)),
        phases=tuple(dict(start=start, skip=skip) for start, skip in later),
    )
    return config
