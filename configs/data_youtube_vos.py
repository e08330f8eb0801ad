"""Clips of AOT's main stage from prepared YouTube-VOS 2019 and DAVIS 2017, and of its last phase.

    python launch.py --mode preview --config configs/data_youtube_vos.py \\
        --config.data.root=DATASETS --output out

DATASETS holds what configs/prepare.py:youtube_vos and :davis made. The last tenth of the 130,000
steps uses random crops of YouTube-VOS only, as in the last epochs of arXiv 2206.09585, which does
not give their number.

Expected: four sheets in `out` of both datasets with all augmentations, and four in
`out/from_step_117000` of crops of YouTube-VOS without any.
"""

from vosjax.config import training

STEPS = 130_000


def get_config():
    config = training("aot", encoder="mobilenet_v2", layers=3)
    youtube = dict(folder="youtube_vos/2019", max_frame_gap=3)
    davis = dict(folder="davis/2017_480p", max_frame_gap=12, repeat=5)
    config.train.update(steps=STEPS, lr=2e-4, weight_decay=0.07, aux=1.0, own_from=0.5)
    config.data.update(
        root="",
        sets=(youtube, davis),
        rendered_weight=0.0,
        merge=0.3,
        colour=True,
        phases=(dict(start=STEPS - STEPS // 10, sets=(youtube,), plain=True),),
    )
    return config
