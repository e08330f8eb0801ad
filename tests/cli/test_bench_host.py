"""The host's share, beside a device that only waits (`--mode bench` with `bench.wait`)."""

import json
import time

import numpy as np
import pytest
from support import toy
from support.command import FRAMES, LABELS, workdir  # noqa: F401

from vosjax.bench.waiting import WaitingDevice
from vosjax.tracking.tracker import Tracker


def test_a_device_that_waits_gives_its_labels_in_turns_and_no_sooner():
    device = WaitingDevice(0.02, LABELS)
    with device.in_place():
        tracker = Tracker(toy.model(), max_mem_frames=4)
        tracker.step(FRAMES[0], LABELS[0])
        begin = time.perf_counter()
        results = [tracker.submit(frame) for frame in FRAMES[1:4]]
        for index, result in enumerate(results, 1):
            np.testing.assert_array_equal(result().labels, LABELS[index])
            assert time.perf_counter() - begin >= 0.02 * index
    assert len(device.fetched) == 4 and device.waited >= 0
    tracker = Tracker(toy.model(), max_mem_frames=4)
    tracker.step(FRAMES[0], LABELS[0])
    assert tracker.traces == 1  # the real program is back in its place


def test_the_command_measures_parts_and_whole_runs(workdir, capsys):  # noqa: F811
    answer = workdir.run(
        "--config", workdir.config, "--mode", "bench", "--output", workdir.out,
        "--config.bench.wait=2", "--config.bench.clip=8", "--config.bench.repeats=1",
        "--config.bench.sizes=((48, 64),)",
    )  # fmt: skip
    assert answer == 0
    figures = json.loads((workdir.out / "bench.json").read_text())["host"]
    assert all(milliseconds >= 0 for milliseconds in figures["parts_milliseconds"].values())
    assert [run["name"] for run in figures["runs"]] == [
        "segment, JPEGs",
        "segment, mp4",
        "eval, JPEGs",
    ]
    for run in figures["runs"]:
        assert 0 < run["rate"] <= 1.05 / 0.002
        assert run["share"] == pytest.approx(run["rate"] * 0.002)
    assert "device idle" in capsys.readouterr().out
