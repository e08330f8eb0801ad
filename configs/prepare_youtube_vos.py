"""Prepares YouTube-VOS 2019, its frames at 6 and at 30 per second.

    python launch.py --mode prepare --config configs/prepare_youtube_vos.py \\
        --data DOWNLOADS --output DATASETS [--config.workers=8]

DOWNLOADS/youtube_vos_2019 holds train, valid and test (and *_all_frames) as they were unpacked. The
same is done by `python -m data_prep youtube_vos/2019 --source DIR --output DATASETS`.

Expected: DATASETS/youtube_vos/2019/1.0.0 and DATASETS/youtube_vos/2019_all_frames/1.0.0; 3,471
videos of train, 507 of valid, 541 of test, and no warning but for masks known to be missing.
"""

from configs import prepare


def get_config():
    source = "youtube_vos_2019"
    return prepare.recipe(
        dict(name="youtube_vos/2019", source=source),
        dict(name="youtube_vos/2019_all_frames", source=source, splits=("valid",)),
    )
