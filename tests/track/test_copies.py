"""Copies of models and trackers are independent, and pickle's error says what to do."""

import copy
import pickle

import numpy as np
import pytest
from support import toy
from support.clips import clip

from vosjax import Tracker

FRAMES, LABELS = clip(frames=8, height=48, width=64, objects=2)


def followed(count):
    tracker = Tracker(toy.model(), objects=2)
    for t in range(count):
        tracker.step(FRAMES[t], LABELS[0] if t == 0 else None)
    return tracker


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_tracker_goes_its_own_way_from_the_same_state(copied):
    tracker, straight = followed(4), followed(4)
    tracker.add(LABELS[4])
    twin = copied(tracker)
    assert twin.time == 4 and twin.objects == [1, 2]
    np.testing.assert_array_equal(twin.step(FRAMES[4]).labels, LABELS[4])
    twin.remove(1)
    twin.step(FRAMES[5])
    assert tracker.time == 4 and tracker.objects == [1, 2]
    np.testing.assert_array_equal(tracker.step(FRAMES[4]).labels, LABELS[4])
    straight.step(FRAMES[4], LABELS[4])
    for t in range(5, 8):
        np.testing.assert_array_equal(
            tracker.step(FRAMES[t]).labels, straight.step(FRAMES[t]).labels
        )


def test_a_copy_of_a_model_shares_its_weights():
    model = toy.model()
    twin = copy.deepcopy(model)
    twin.config["mem_every"] = 7
    assert model.config["mem_every"] == 2
    assert twin.params is model.params and copy.copy(model) is model


def test_pickling_says_what_to_do_instead():
    with pytest.raises(pickle.PicklingError, match=r"call vosjax\.load\(folder\) there"):
        pickle.dumps(toy.model())
    with pytest.raises(pickle.PicklingError, match=r"Tracker\.save\(path\), and go on by Tracker"):
        pickle.dumps(followed(1))


def test_the_state_of_a_tracker_can_be_pickled():
    tracker = followed(4)
    twin = Tracker.restore(pickle.loads(pickle.dumps(tracker.state)), tracker.model)
    for t in range(4, 8):
        np.testing.assert_array_equal(twin.step(FRAMES[t]).labels, tracker.step(FRAMES[t]).labels)
