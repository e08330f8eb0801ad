"""Clips of AOT's main stage: prepared YouTube-VOS 2019 and DAVIS 2017, gaps, merges, and its end.

    python launch.py --mode preview --config configs/data_youtube_vos.py \\
        --config.data.root=DATASETS --output out

DATASETS holds what configs/prepare.py:youtube_vos and :davis made. The last tenth
of the 130,000 steps takes random crops of YouTube-VOS only, as arXiv 2206.09585 says of its last
epochs, whose number it does not give.

Expected: four sheets in `out` of both sets with all changes of colour and shape, four in
`out/from_step_117000` of unchanged crops of YouTube-VOS.
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
