"""The five tests of a second segmentation."""

import numpy as np
import pytest

from vosjax.refine.zoom import trust
from vosjax.refine.zoom.trust import TESTS


def square(left, top, side, value=0.9, size=40):
    probs = np.zeros((size, size), np.float32)
    probs[top : top + side, left : left + side] = value
    return probs


def test_the_second_mask_has_to_lie_on_the_first():
    assert trust.overlaps(square(10, 10, 12), square(13, 10, 12))
    assert not trust.overlaps(square(10, 10, 12), square(20, 20, 12))
    assert not trust.overlaps(square(10, 10, 12), square(0, 0, 0))


def test_or_on_the_trackers_box_where_there_was_none():
    empty = square(0, 0, 0)
    assert trust.overlaps(square(10, 10, 12), empty, (9, 9, 14, 14))
    assert not trust.overlaps(square(10, 10, 12), empty, (25, 25, 12, 12))
    assert not trust.overlaps(empty, empty, (9, 9, 14, 14))


@pytest.mark.parametrize("area,steady", [(39, False), (41, True), (249, True), (251, False)])
def test_the_area_stays_within_bounds_of_the_last_five(area, steady):
    assert trust.area_is_steady(area, [5000.0, 90.0, 100.0, 100.0, 100.0, 110.0]) == steady


def test_without_a_history_any_mask_will_do():
    assert trust.area_is_steady(3.0, []) and not trust.area_is_steady(0.0, [])


def test_a_mask_at_the_border_of_its_crop_may_go_on_outside():
    assert trust.keeps_off_border(square(10, 10, 12))
    assert not trust.keeps_off_border(square(0, 10, 12))
    assert not trust.keeps_off_border(square(28, 10, 12))


def test_at_the_end_of_the_frame_it_may_lie_at_the_border():
    assert trust.keeps_off_border(square(0, 10, 12), (False, True, True, True))
    assert trust.keeps_off_border(square(10, 28, 12), (True, True, True, False))
    assert not trust.keeps_off_border(square(0, 10, 12), (True, False, False, False))


def test_the_mask_has_to_be_certain_and_as_certain_as_the_first_one():
    assert trust.is_certain(square(10, 10, 12, 0.75), None)
    assert not trust.is_certain(square(10, 10, 12, 0.65), None)
    assert trust.is_certain(square(10, 10, 12, 0.75), 0.84)
    assert not trust.is_certain(square(10, 10, 12, 0.75), 0.86)
    assert not trust.is_certain(square(0, 0, 0), None)


def test_the_given_mask_has_to_be_recovered():
    annotated = square(10, 10, 10) > 0
    assert trust.closes_cycle(square(11, 10, 10) > 0, annotated)
    assert not trust.closes_cycle(square(14, 10, 10) > 0, annotated)


@pytest.mark.parametrize("failing,trusted", [(0, 1.0), (1, 0.5), (2, 0.0), (4, 0.0)])
def test_one_test_that_fails_halves_the_trust_and_two_end_it(failing, trusted):
    passed = {name: number >= failing for number, name in enumerate(TESTS)}
    assert trust.trust(passed) == trusted


def test_a_clip_that_does_not_come_back_is_not_trusted_at_all():
    assert trust.trust(dict.fromkeys(TESTS, True) | {"cycle": False}) == 0.0
