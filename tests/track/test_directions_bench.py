"""The measurement of frames between two given ones, on a drawn clip with the toy network."""

import numpy as np
import pytest
from support import toy
from support.clips import clip
from support.command import write_frames

from vosjax.bench.directions import WAYS, follow, measure
from vosjax.io.palette import write_label_png
from vosjax.tracking.tracker import Tracker

FRAMES, LABELS = clip(frames=10, height=48, width=64, objects=2)


@pytest.fixture
def data(tmp_path):
    """A folder in DAVIS layout, of one clip with truth and one without."""
    for name in ("cow", "unlabelled"):
        write_frames(tmp_path / "JPEGImages" / name, FRAMES)
    for t, labels in enumerate(LABELS):
        write_label_png(tmp_path / "Annotations" / "cow" / f"{t:05d}.png", labels)
    write_label_png(tmp_path / "Annotations" / "unlabelled" / "00000.png", LABELS[0])
    return tmp_path


def test_what_lies_between_two_frames_is_better_joined(data):
    table = measure(toy.model(slots=2), data, second=1.0, max_short_side=480)
    assert list(table) == ["cow"] and tuple(table["cow"]) == WAYS
    means = {way: j.mean() for way, j in table["cow"].items()}
    assert all(j.shape == (2,) and 0.3 < j.min() <= j.max() <= 1 for j in table["cow"].values())
    assert means["cut"] > means["forward"] and means["blend"] > means["forward"]


def test_a_pass_is_what_the_tracker_makes_of_the_frames():
    model = toy.model(slots=2)
    tracker = Tracker(model, objects=2, capacity=8)
    for t, frame in enumerate(follow(model, list(FRAMES), LABELS[0], [1, 2])):
        labels, scores = tracker.step(FRAMES[t], LABELS[0] if t == 0 else None)
        np.testing.assert_array_equal(frame.output.labels, labels)
        assert frame.output.scores.keys() == scores.keys()
        np.testing.assert_array_equal(frame.probs.argmax(0), labels)
