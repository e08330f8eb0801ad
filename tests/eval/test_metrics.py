"""J, F and their statistics as definitions: properties over random label maps, and corner cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.one_mask import boundary_accuracy

from vosjax.bench.scoring import plain_frame_scores
from vosjax.eval import metrics

FEW = settings(max_examples=40, deadline=None)


@st.composite
def label_maps(draw, ids=3):
    """Two label maps of one size, uint8 [H, W]: overlapping boxes, the second one disturbed."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    maps = np.zeros((2, height, width), np.uint8)
    for key in range(1, draw(st.integers(0, ids)) + 1):
        for labels in maps:
            y, x = rng.integers(-5, height), rng.integers(-5, width)
            h, w = rng.integers(1, 25, size=2)
            labels[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = key
    if draw(st.booleans()):
        maps[1] = maps[0]
    speckle = rng.random(maps[1].shape) < draw(st.sampled_from([0, 0.01, 0.3]))
    maps[1][speckle] = rng.integers(0, ids + 1, size=speckle.sum())
    return maps[0], maps[1]


@FEW
@given(label_maps(), st.sampled_from([0.008, 0.05, 1, 3]))
def test_all_objects_at_once_equal_the_plain_rule(maps, bound):
    fast = metrics.frame_scores(*maps, objects=(1, 2, 3), bound=bound)
    plain = plain_frame_scores(*maps, objects=(1, 2, 3), bound=bound)
    np.testing.assert_array_equal(fast[0], plain[0])
    np.testing.assert_allclose(fast[1], plain[1], rtol=0, atol=1e-15)


@FEW
@given(label_maps())
def test_scores_lie_in_the_unit_interval_and_are_symmetric(maps):
    scores = np.array(metrics.frame_scores(*maps, objects=(1, 2, 3)))
    assert ((scores >= 0) & (scores <= 1)).all()
    swapped = np.array(metrics.frame_scores(*maps[::-1], objects=(1, 2, 3)))
    np.testing.assert_allclose(scores, swapped, rtol=0, atol=1e-15)


@FEW
@given(label_maps())
def test_identical_maps_score_one(maps):
    assert (np.array(metrics.frame_scores(maps[0], maps[0].copy(), objects=(1, 2, 3))) == 1).all()


@FEW
@given(label_maps(), st.integers(1, 9))
def test_background_around_the_objects_changes_nothing(maps, margin):
    # A rim of background first, since an object that touches the border has no boundary there.
    inner = [np.pad(labels, 1) for labels in maps]
    outer = [np.pad(labels, margin) for labels in inner]
    for a, b in zip(
        metrics.frame_scores(*inner, objects=(1, 2, 3), bound=2),
        metrics.frame_scores(*outer, objects=(1, 2, 3), bound=2),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@FEW
@given(label_maps())
def test_an_object_scores_the_same_alone_and_among_others(maps):
    together = np.array(metrics.frame_scores(*maps, objects=(3, 1, 2)))
    for column, key in enumerate((3, 1, 2)):
        alone = [(labels == key).astype(np.uint8) for labels in maps]
        assert metrics.region_similarity(*alone) == together[0, column]
        assert boundary_accuracy(*alone) == together[1, column]


def test_objects_at_opposite_edges_do_not_match_each_other():
    truth, prediction = np.zeros((30, 20), np.uint8), np.zeros((30, 20), np.uint8)
    truth[26:29, 5:15], prediction[10:13, 5:15] = 1, 1  # at the bottom, predicted in the middle
    truth[14:17, 5:15], prediction[1:4, 5:15] = 2, 2  # in the middle, predicted at the top
    f = metrics.frame_scores(truth, prediction, objects=(1, 2), bound=8)[1]
    assert f.tolist() == [0, 0]


def test_big_ids_are_ordinary_objects():
    labels = np.zeros((9, 9), np.uint8)
    labels[2:5, 2:5] = 255
    j, f = metrics.frame_scores(labels, labels // 255, objects=(255, 1))
    assert j.tolist() == [0, 0] and f.tolist() == [0, 0]


def test_empty_masks():
    nothing, something = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    something[3:5, 3:5] = True
    for measure in (metrics.region_similarity, boundary_accuracy):
        assert measure(nothing, nothing) == 1
        assert measure(nothing, something) == measure(something, nothing) == 0


def test_void_counts_nowhere():
    truth, prediction = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    truth[2:6, 2:6] = prediction[2:6, 2:6] = True
    prediction[10:15, 10:15] = True
    void = prediction & ~truth
    assert metrics.region_similarity(truth, prediction, void=void) == 1
    assert boundary_accuracy(truth, prediction, void=void) == 1


def test_a_mask_over_the_whole_frame_has_no_boundary():
    assert not metrics.boundary(np.ones((5, 7))).any()


def test_a_boundary_matches_up_to_the_tolerance():
    truth = np.zeros((60, 60), np.uint8)
    truth[10:30, 10:30] = 1
    for shift, expected in ((4, 1.0), (5, None)):
        moved = np.roll(truth, shift, axis=1)
        f = boundary_accuracy(truth, moved, bound=4)
        assert (f == 1) == (expected == 1)


@pytest.mark.parametrize(
    "truth,prediction,objects,message",
    [
        (np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8), (1,), "4 x 5 .* 5 x 4"),
        (np.zeros((4, 5), np.int32), np.zeros((4, 5), np.uint8), (1,), "truth is int32"),
        (np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.uint8), (1,), "prediction is uint8"),
        (np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8), (0, 1), "ids in 1..255"),
        (np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8), (2, 2), "each id once"),
    ],
)
def test_bad_maps_are_refused(truth, prediction, objects, message):
    with pytest.raises(ValueError, match=message):
        metrics.frame_scores(truth, prediction, objects=objects)


def test_decay_of_a_long_video_uses_plain_integers():
    # 1000 frames, above the 255 to which the official tool can count.
    values = np.repeat([1.0, 0.75, 0.5, 0.25], 250)
    assert metrics.statistics(values).decay == pytest.approx(0.75, abs=0.01)


def test_recall_counts_strictly_more_than_a_half():
    assert metrics.statistics([0.5, 0.6]).recall == 0.5


def test_one_frame_has_no_decay():
    assert metrics.statistics([0.3]) == (0.3, 0, 0)


def test_no_frame_has_no_statistics():
    with pytest.raises(ValueError, match="at least one frame"):
        metrics.statistics([])
