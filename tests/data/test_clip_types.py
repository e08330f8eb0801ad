"""Clips: slots, renumbering and merging."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vosjax.data import types

RAW = arrays.arrays(
    np.uint8, (3, 12, 14), elements=st.sampled_from([0, 1, 2, 3, 7, 9, 40, 254, 255])
)
quick = settings(max_examples=30, deadline=None)


def _seal(labels, seed, **options):
    spec = types.ClipSpec(*labels.shape, **options)
    frames = np.zeros(labels.shape + (3,), np.uint8)
    return types.assign_slots(frames, labels, spec=spec, rng=np.random.default_rng(seed))


@quick
@given(RAW, st.integers(0, 99), st.integers(1, 10))
def test_slots_follow_their_raw_ids(labels, seed, most):
    clip = _seal(labels, seed, max_objects=most)
    for slot in np.flatnonzero(clip["live"]) + 1:
        raw = np.unique(labels[clip["labels"] == slot])
        assert len(raw) == 1
        assert np.array_equal(clip["labels"] == slot, labels == raw[0])


@quick
@given(RAW, st.integers(0, 99), st.integers(1, 10))
def test_live_flags_name_the_slots_in_use(labels, seed, most):
    clip = _seal(labels, seed, max_objects=most)
    used = set(np.unique(clip["labels"])) - {0, types.IGNORE}
    assert used == set(np.flatnonzero(clip["live"]) + 1)
    assert clip["objects"] == clip["live"].sum() <= most


@quick
@given(RAW, st.integers(0, 99))
def test_ignore_stays_ignore(labels, seed):
    assert np.array_equal(_seal(labels, seed)["labels"] == 255, labels == 255)


@quick
@given(RAW)
def test_without_shuffle_slots_are_1_to_n_in_order(labels):
    clip = _seal(labels, 0, shuffle=False)
    kept = types.visible_ids(labels[0], types.minimum_pixels(12, 14))
    for slot, raw in enumerate(kept, start=1):
        assert np.array_equal(clip["labels"] == slot, labels == raw)


def test_shuffle_uses_every_slot():
    labels = np.full((1, 12, 14), 5, np.uint8)
    assert {int(_seal(labels, seed)["labels"].max()) for seed in range(120)} == set(range(1, 11))


def test_objects_absent_from_frame_0_become_background():
    labels = np.zeros((2, 12, 14), np.uint8)
    labels[0, :6], labels[1, :6], labels[1, 6:] = 1, 1, 2
    clip = _seal(labels, 0, shuffle=False)
    assert clip["objects"] == 1
    assert np.array_equal(np.unique(clip["labels"]), [0, 1])


def test_hundred_pixels_do_not_make_an_object_at_full_size():
    labels = np.zeros((1, 465, 465), np.uint8)
    labels[0, :10, :10], labels[0, 20:21, :101] = 1, 2
    clip = _seal(labels, 0, shuffle=False)
    assert clip["objects"] == 1
    assert (clip["labels"] == 1).sum() == 101


@quick
@given(RAW, RAW)
def test_merge_keeps_every_pixel_of_the_front_and_joins_no_ids(below, above):
    frames = [np.full(below.shape + (3,), value, np.uint8) for value in (10, 200)]
    merged, labels = types.merge((frames[0], below), (frames[1], above))
    front = above > 0
    assert np.array_equal(merged[..., 0] == 200, front)
    for source, where in ((below, ~front), (above, front)):
        pairs = set(zip(source[where].tolist(), labels[where].tolist()))
        assert len(pairs) == len({raw for raw, _ in pairs}) == len({out for _, out in pairs})
    shared = set(labels[front].tolist()) & set(labels[~front].tolist())
    assert shared <= {types.IGNORE}


def test_merge_refuses_more_ids_than_fit():
    many = np.arange(200, dtype=np.uint8).reshape(1, 10, 20)
    frames = np.zeros((1, 10, 20, 3), np.uint8)
    with pytest.raises(ValueError, match="at most 254"):
        types.merge((frames, many), (frames, many))
