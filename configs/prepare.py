"""What every recipe of `--mode prepare` has: the datasets to prepare, and with how many processes.

    python launch.py --mode prepare --config configs/prepare_davis.py --data DOWNLOADS \\
        --output DATASETS

A dataset is a dict: `name`, NAME or NAME/CONFIG of `data_prep`; `source`, its folder below --data;
and optionally `splits` and `exclude`, a file below --data whose videos are left out. This file
alone prepares nothing.
"""

import ml_collections


def get_config():
    return recipe()


def recipe(*datasets):
    """A config of datasets, each a dict as above."""
    config = ml_collections.ConfigDict()
    config.mode = "prepare"
    config.datasets = datasets
    config.workers = 4  # processes
    return config
