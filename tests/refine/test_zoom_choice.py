"""Which objects are zoomed, and in which frames."""

import numpy as np
import pytest

from vosjax.refine.zoom.choose import (
    Clip,
    choose_clips,
    extended,
    lost_runs,
    pieces,
    scale,
    small_runs,
)


def test_areas_are_those_of_a_short_side_of_480_pixels():
    assert scale((480, 854)) == 1
    assert scale((1920, 1080)) == 2.25


def test_an_object_is_small_below_1024_pixels_until_it_is_above_2048():
    areas = [3000.0] * 10 + [1500.0] * 10 + [900.0] * 10 + [1500.0] * 10 + [2500.0] * 10
    assert small_runs(areas) == [(20, 40)]


def test_one_frame_with_another_area_changes_nothing():
    areas = np.full(30, 500.0)
    areas[12] = 9000
    assert small_runs(areas) == [(0, 30)]
    large = np.full(30, 5000.0)
    large[12] = 100
    assert small_runs(large) == []


def test_frames_in_which_a_small_object_is_not_seen_belong_to_its_run():
    areas = [500.0] * 10 + [0.0] * 4 + [500.0] * 10
    assert small_runs(areas) == [(0, 24)]


def test_a_run_begins_and_ends_with_a_frame_in_which_the_object_is_seen():
    assert small_runs([0.0] * 8 + [500.0] * 10 + [0.0] * 50) == [(8, 18)]


@pytest.mark.parametrize("length,runs", [(4, []), (5, [(0, 5)])])
def test_a_run_has_at_least_five_frames(length, runs):
    assert small_runs([500.0] * length + [5000.0] * 20) == runs


def test_a_mask_lost_an_object_that_the_tracker_sees():
    areas = [700.0] * 10 + [10.0] * 10
    assert lost_runs(areas, [True] * 16 + [False] * 4) == [(10, 16)]
    assert lost_runs(areas, [False] * 20) == []


def test_clips_reach_five_frames_further_and_join_where_they_touch():
    assert extended([(2, 10), (18, 30), (60, 70)], 72) == [(0, 35), (55, 72)]


def test_a_clip_has_at_most_96_frames_and_parts_are_equal():
    assert pieces(0, 96) == [(0, 96)]
    assert pieces(10, 202) == [(10, 106), (106, 202)]
    assert pieces(0, 200) == [(0, 66), (66, 133), (133, 200)]


def test_the_smallest_objects_are_zoomed_first_and_only_so_many():
    areas = {1: [900.0] * 10, 2: [9000.0] * 10, 3: [100.0] * 10, 4: [400.0] * 10}
    clips = choose_clips(areas, {}, {}, most=2)
    assert clips == [Clip(3, 0, 10), Clip(4, 0, 10)]


def test_a_lost_object_is_zoomed_if_its_given_mask_was_small():
    areas, followed = {1: [1800.0] * 20 + [0.0] * 20}, {1: [True] * 40}
    assert choose_clips(areas, {1: 1800.0}, followed) == [Clip(1, 15, 40)]
    assert choose_clips(areas, {1: 5000.0}, followed) == []
    assert choose_clips(areas, {1: 1800.0}, {}) == []
