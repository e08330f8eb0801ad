"""DAVIS 2017 val with the embedded default; for other years and splits see `--config.eval`.

    python launch.py --config configs/eval_davis.py --data DAVIS --output runs/davis17

DAVIS is the unpacked folder with JPEGImages/480p, Annotations/480p and ImageSets. Any config of a
network runs the same way with `--mode eval --config.eval.split=val`. The same command resumes an
interrupted run; `--shard 0/4` runs a quarter of the videos.

Expected: results.json, csv tables like those of the official tool, submission.zip (for test-dev,
`--config.eval.split=test-dev`) and a line with J&F.
"""

from vosjax.config import network


def get_config():
    config = network()
    config.mode = "eval"
    config.eval.split = "val"
    return config
