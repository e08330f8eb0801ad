"""DAVIS 2017 val with the embedded default; `--config.eval.year=2016` and others by settings.

    python launch.py --config configs/eval_davis.py --data DAVIS --output runs/davis17

DAVIS is the unpacked folder with JPEGImages/480p, Annotations/480p and ImageSets. Any config of a
network runs the same way with `--mode eval --config.eval.split=val`. The same command goes on where
it was stopped; `--shard 0/4` runs a quarter of the videos.

Expected: results.json, csv tables as the official tool writes them, submission.zip (test-dev:
`--config.eval.split=test-dev`) and a line with J&F.
"""

from vosjax.config import network


def get_config():
    config = network()
    config.mode = "eval"
    config.eval.split = "val"
    return config
