"""The bench beside the PyTorch originals, which are stood in for: turns, ratios and errors."""

import sys

import numpy as np
import pytest

from vosjax.bench import beside, originals
from vosjax.bench.inputs import columns
from vosjax.errors import InputError

FRAMES = [np.zeros((48, 64, 3), np.uint8)]
LABELS = columns((48, 64), 3)
FOUND = dict(frames=FRAMES, labels=LABELS, memory=2, dtype="float32")


def test_both_sides_take_turns_over_the_same_frames():
    calls = []
    sides = beside.measure(
        lambda *call: calls.append(("ours", *call)),
        lambda *call: calls.append(("original", *call)),
        frames=2,
        rounds=3,
    )
    a_round = [
        (side, index, remember)
        for remember in (False, True)
        for side in ("ours", "original")
        for index in range(2)
    ]
    assert calls == 4 * a_round  # the first one is not counted
    for both in sides.values():
        assert len(both.ours) == len(both.original) == 3


def test_ratios_are_those_of_a_round():
    sides = beside.Sides(
        [beside.Turn(1.0, 2.0), beside.Turn(3.0, 3.0)],
        [beside.Turn(2.0, 8.0), beside.Turn(3.0, 1.0)],
    )
    assert sides.ratios("wall") == [0.5, 1.0]
    assert sides.ratios("cpu") == [0.25, 3.0]


def test_every_object_is_a_column():
    assert set(np.unique(LABELS)) == {0, 1, 2, 3} and LABELS.shape == (48, 64)


def test_a_tracker_takes_part_with_its_memory_full():
    step = beside.tracker_step("aot:t", **FOUND)
    for remember in (False, True):
        labels = step(0, remember)
        assert labels.shape == (48, 64) and labels.dtype == np.uint8


def test_the_command_prints_a_line_for_each_kind_of_frame(monkeypatch, capsys):
    def stand_in(name, folders, **asked):
        assert folders == {} and asked["memory"] == 1 and asked["labels"].max() == 2
        return lambda index, remember: asked["labels"]

    monkeypatch.setattr(beside, "original", stand_in)
    monkeypatch.setattr(beside, "tracker_step", lambda name, **asked: stand_in(name, {}, **asked))
    monkeypatch.setattr(beside, "torch_version", lambda: "2.0")
    words = "--models aot:t --objects 2 --memory 1 --size 48x64 --frames 1 --rounds 1".split()
    assert beside.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "aot:t" in lines[0] and "not remembered" in lines[0] and "cpu" in lines[0]
    assert "remembered" in lines[1] and "torch 2.0" in lines[2]


@pytest.mark.parametrize(
    "name, folders, words",
    [
        ("aost", {}, "'aost' has no original: there are aot:t"),
        ("stcn", {}, "needs its repository: --stcn FOLDER"),
        ("aot:r50", {"aot": "."}, "there is no networks/engines/aot_engine.py"),
    ],
)
def test_what_is_missing_is_told(name, folders, words, tmp_path):
    with pytest.raises(InputError, match=words):
        originals.original(name, {key: tmp_path for key in folders}, **FOUND)


def test_without_pytorch_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "inference_memory_bank.py").touch()
    with pytest.raises(InputError, match="pip install torch"):
        originals.original("stcn", {"stcn": tmp_path}, **FOUND)
