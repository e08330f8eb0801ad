"""Objects without a pixel at the network's size are reported, and kept where possible."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from support import toy

from vosjax import Tracker, segment
from vosjax.layers.resize import resize_nearest
from vosjax.tracking.frame import lost_objects, prompt_to_network
from vosjax.types import Prompt, Spec

SPEC = Spec(24, 32, 3, 4)
FRAME = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
LARGE = np.zeros((96, 128), np.uint8)
LARGE[20:60, 30:80] = 1


def dotted(*dots):
    """The large object, and objects of a pixel each: (row, column, id)."""
    labels = LARGE.copy()
    for row, column, id in dots:
        labels[row, column] = id
    return labels


def shrunk(labels):
    given = np.isin(np.arange(1, SPEC.objects + 1), labels)
    prompt = Prompt(jnp.asarray(labels, jnp.int32), jnp.asarray(given))
    return np.asarray(prompt_to_network(prompt, SPEC, given.any()).labels)


def test_objects_that_keep_a_pixel_are_resized_to_the_nearest():
    labels = dotted((0, 0, 2), (4, 8, 3))
    np.testing.assert_array_equal(shrunk(labels), resize_nearest(labels, 24, 32))
    assert not shrunk(np.zeros_like(LARGE)).any()


def test_an_object_without_a_pixel_is_marked_where_it_was():
    labels = dotted((3, 3, 2), (90, 121, 3), (91, 121, 3), (91, 125, 3))
    expected = resize_nearest(LARGE, 24, 32).copy()
    expected[0, 0] = 2
    expected[22, [30, 31]] = 3
    np.testing.assert_array_equal(shrunk(labels), expected)


def test_of_two_in_one_pixel_the_first_is_marked():
    assert shrunk(dotted((3, 3, 3), (3, 2, 2)))[0, 0] == 2


def test_lost_objects_are_counted():
    assert lost_objects(dotted((3, 3, 7), (90, 121, 9), (91, 121, 9), (0, 4, 5)), SPEC) == {
        7: 1,
        9: 2,
    }


def test_a_tracker_tells_of_them_in_a_line_and_gives_them_as_given():
    tracker = Tracker(toy.model(slots=3), objects=3, max_short_side=24)
    labels = dotted((3, 3, 7), (90, 121, 9), (91, 121, 9))
    with pytest.warns(UserWarning) as notes:
        np.testing.assert_array_equal(tracker.step(FRAME, labels).labels, labels)
    (note,) = notes
    assert str(note.message) == (
        "too small to have a pixel at the network's size, 24x32 (height x width): object "
        "7 (1 pixel), object 9 (2 pixels). What such an object touches is marked in its place, "
        "and it is easily lost: raise max_short_side (--config.max_short_side), or crop the video "
        "around it"
    )
    remembered = tracker.state.network.bank.data["v"][0]  # a value for each cell and slot
    assert (remembered[:, 1:].max(0) > 0).all()


def test_where_the_network_sees_all_pixels_nothing_is_told():
    with warnings.catch_warnings(action="error"):
        Tracker(toy.model(slots=3)).step(FRAME, dotted((3, 3, 7)))
        Tracker(toy.model(slots=3), max_short_side=24).step(FRAME, LARGE)


def test_a_video_that_is_followed_to_both_sides_is_told_of_once(recwarn):
    labels = dotted((3, 3, 2))
    results = segment([FRAME] * 3, {1: labels}, model=toy.model(slots=3), max_short_side=24)
    np.testing.assert_array_equal([result.labels for result in results][1], labels)
    lines = {str(note.message) for note in recwarn}  # a line is shown once by Python's own rule
    assert len([line for line in lines if "object 2 (1 pixel)" in line]) == 1
