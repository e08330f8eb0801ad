"""The log of a training: rows that survive a resumption, and pictures."""

import csv

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vosjax.train import log


def rows(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return [(row["step"], row["loss"]) for row in csv.DictReader(file)]


@pytest.fixture
def logged(tmp_path):
    first = log.Log(tmp_path, start=0)
    for at in (10, 20, 30):
        first.scalars(at, {"loss": at / 10, "rate": 0.5})
    first.close()
    return tmp_path


def test_rows_are_on_disk_at_once(tmp_path):
    log.Log(tmp_path, start=0).scalars(10, {"loss": 1.0})
    assert rows(tmp_path) == [("10", "1")]


def test_resuming_drops_what_came_after_the_checkpoint(logged):
    again = log.Log(logged, start=20)
    again.scalars(30, {"loss": 7.0})
    again.close()
    assert rows(logged) == [("10", "1"), ("20", "2"), ("30", "7")]


def test_tensorboard_reads_scalars_and_pictures(logged):
    again = log.Log(logged, start=20)
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    again.scalars(30, {"loss": 7.0})
    again.pictures(31, frames, np.ones((2, 8, 8), np.uint8), np.zeros((2, 8, 8), np.uint8))
    again.close()
    events = EventAccumulator(str(logged / "tensorboard")).Reload()
    assert [e.value for e in events.Scalars("train/loss")] == [1.0, 2.0, 7.0]
    assert (events.Images("clip")[0].width, events.Images("clip")[0].height) == (16, 24)
