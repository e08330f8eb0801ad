"""Segments a rendered sample clip with the embedded model: a complete run in one command.

    python launch.py --config configs/quickstart.py

Expected: in about a minute on 2 cores, masks, overlay.mp4, scores.csv and run.json in
`output/quickstart/result`, and a table of J&F against the clip's ground truth.
"""

from vosjax.config import network


def get_config():
    config = network()
    config.mode = "quickstart"
    return config
