"""Where a small object is: a mask's moments, its motion, and what mask and tracker agree on."""

import numpy as np
import pytest

from vosjax.boxes.protocol import HARD_NEGATIVE, NORMAL, NOT_FOUND, UNCERTAIN
from vosjax.refine.zoom import agreement, kalman
from vosjax.refine.zoom.agreement import Seen, agree
from vosjax.refine.zoom.moments import centre_of, from_centre, mask_box, overlap

BOX = np.array([40.0, 30.0, 12.0, 8.0])
FAR = np.array([80.0, 30.0, 12.0, 8.0])


def ellipse(box, size=(96, 128)):
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    (x, y), (w, h) = centre_of(box), np.asarray(box)[2:] / 2
    return (((columns - x) / w) ** 2 + ((rows - y) / h) ** 2 <= 1).astype(np.float32)


def test_the_box_of_a_filled_ellipse_is_its_own():
    box = np.array([20.0, 30.0, 40.0, 24.0])
    np.testing.assert_allclose(mask_box(ellipse(box)).box, box, atol=0.4)


def test_the_box_of_a_filled_rectangle_is_wider_by_two_over_the_root_of_three():
    probs = np.zeros((64, 64), np.float32)
    probs[20:40, 10:50] = 1
    x, y, w, h = mask_box(probs).box
    assert (x + w / 2, y + h / 2) == (30, 30)
    np.testing.assert_allclose([w, h], np.array([40, 20]) * 2 / np.sqrt(3), rtol=1e-3)


def test_area_and_probability_are_those_of_the_mask():
    probs = np.zeros((16, 16), np.float32)
    probs[4:8, 4:8], probs[0] = 0.75, 0.3
    assert mask_box(probs)[1:] == pytest.approx((12.0, 0.75))


def test_parts_far_from_where_the_object_is_expected_are_left_out():
    probs = np.maximum(ellipse(BOX), ellipse([100, 70, 20, 20]))
    np.testing.assert_allclose(mask_box(probs, BOX).box, mask_box(ellipse(BOX)).box)
    assert mask_box(ellipse([100, 70, 20, 20]), BOX) is None


def test_an_empty_mask_has_no_box():
    assert mask_box(np.full((8, 8), 0.4, np.float32)) is None


def test_boxes_overlap():
    assert overlap([0, 0, 2, 2], [1, 0, 2, 2]) == pytest.approx(1 / 3)
    assert overlap([0, 0, 2, 2], [5, 5, 2, 2]) == 0
    assert overlap([0, 0, 0, 0], [0, 0, 0, 0]) == 0


def test_a_constant_velocity_is_learnt():
    motion = kalman.begin(BOX)
    for time in range(1, 12):
        motion = kalman.update(kalman.predict(motion), BOX + [3 * time, -time, 0, 0])
    ahead = kalman.expected_box(kalman.predict(motion))
    np.testing.assert_allclose(ahead, BOX + [36, -12, 0, 0], atol=0.2)


def test_an_unsure_measurement_moves_the_box_less():
    motion = kalman.predict(kalman.begin(BOX))
    moved = [
        kalman.expected_box(kalman.update(motion, BOX + [6, 0, 0, 0], confidence))[0]
        for confidence in (0.3, 1.0)
    ]
    assert BOX[0] < moved[0] < moved[1] < BOX[0] + 6


def test_distance_is_zero_at_the_mean_and_grows_with_the_way():
    motion = kalman.predict(kalman.begin(BOX))
    near, far = (kalman.distance(motion, BOX + [shift, 0, 0, 0]) for shift in (2, 20))
    assert kalman.distance(motion, BOX) == pytest.approx(0, abs=1e-9)
    assert 0 < near < far


def test_a_box_without_a_side_has_a_motion():
    assert np.isfinite(kalman.expected_box(kalman.predict(kalman.begin([3, 4, 0, 0])))).all()


# The table of agreement, a row each.

MASK = mask_box(ellipse(BOX))
MOTION = kalman.predict(kalman.begin(BOX))


def decided(mask, tracker, missed=0, side=np.inf):
    return agree(mask, tracker, MOTION, BOX[2:], missed, side)


@pytest.mark.parametrize("flag", [NORMAL, HARD_NEGATIVE])
def test_mask_and_tracker_that_agree_are_averaged(flag):
    box = MASK.box + [2, 0, 0, 0]
    agreed = decided(MASK, Seen(box, 1.0, flag))
    assert agreed.confidence == 1.0
    np.testing.assert_allclose(agreed.box, MASK.box + [1, 0, 0, 0])


def test_the_better_known_box_weighs_more():
    agreed = decided(MASK, Seen(MASK.box + [4, 0, 0, 0], 0.25, NORMAL))
    np.testing.assert_allclose(agreed.box, MASK.box + [0.8, 0, 0, 0])


@pytest.mark.parametrize("flag", [UNCERTAIN, NOT_FOUND])
def test_the_mask_counts_where_the_tracker_does_not_know(flag):
    agreed = decided(MASK, Seen(FAR, 0.1, flag))
    assert agreed.confidence == 0.7
    np.testing.assert_array_equal(agreed.box, MASK.box)


def test_the_trackers_centre_counts_where_there_is_no_mask():
    agreed = decided(None, Seen(np.array([50.0, 30.0, 40.0, 40.0]), 0.8, NORMAL))
    assert agreed.confidence == 0.6
    np.testing.assert_array_equal(agreed.box, from_centre([70, 50], BOX[2:]))


def test_of_two_that_disagree_the_one_nearer_to_the_motion_counts():
    agreed = decided(MASK, Seen(FAR, 0.9, NORMAL))
    assert agreed.confidence == 0.3
    np.testing.assert_array_equal(agreed.box, MASK.box)
    np.testing.assert_allclose(agreed.hold, agreement.union(MASK.box, FAR))
    far_mask = mask_box(ellipse(FAR))
    np.testing.assert_array_equal(decided(far_mask, Seen(BOX, 0.9, NORMAL)).box, BOX)


def test_both_are_held_within_two_sides_of_the_crop_and_the_nearer_one_beyond():
    both = agreement.union(MASK.box, FAR)
    for side, held in ((53, both), (27, both), (26, MASK.box)):
        np.testing.assert_array_equal(decided(MASK, Seen(FAR, 0.9, NORMAL), side=side).hold, held)


@pytest.mark.parametrize("tracker", [None, Seen(FAR, 0.0, NOT_FOUND)])
def test_without_anything_seen_the_expected_box_grows(tracker):
    first, second = (decided(None, tracker, missed=missed) for missed in (0, 1))
    assert first.confidence == second.confidence == 0
    assert not first.seen
    np.testing.assert_allclose(first.box[2:], BOX[2:] * 1.05)
    np.testing.assert_allclose(second.box[2:], BOX[2:] * 1.05**2)
    np.testing.assert_allclose(centre_of(first.box), centre_of(BOX))


def test_without_a_tracker_the_motion_tells_how_sure_a_mask_is():
    assert decided(MASK, None).confidence == 0.7
    assert decided(mask_box(ellipse(FAR)), None).confidence == 0.3
