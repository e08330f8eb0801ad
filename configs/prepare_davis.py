"""Prepares DAVIS 2016 and 2017 at 480p.

    python launch.py --mode prepare --config configs/prepare_davis.py --data DOWNLOADS \\
        --output DATASETS

DOWNLOADS/DAVIS holds JPEGImages, Annotations and ImageSets of DAVIS 2017, those of test-dev
unpacked into the same folder; the 2016 lists are in it too. Full resolution:
`python -m data_prep davis/2017_full`.

Expected: DATASETS/davis/2017_480p/1.0.0 and DATASETS/davis/2016_480p/1.0.0; of 2017 60 videos of
train, 30 of val, 30 of test_dev; of 2016 30 of train with 2,079 frames, 20 of val with 1,376.
"""

from configs import prepare


def get_config():
    return prepare.recipe(
        dict(name="davis/2017_480p", source="DAVIS"), dict(name="davis/2016_480p", source="DAVIS")
    )
