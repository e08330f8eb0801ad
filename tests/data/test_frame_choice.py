"""Which frames make a clip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosjax.data import choose

quick = settings(max_examples=60, deadline=None)


def _gaps(areas, seed, frames=5, gap=3, **options):
    return choose.by_gaps(
        np.asarray(areas), frames, max_gap=gap, rng=np.random.default_rng(seed), **options
    )


@quick
@given(st.integers(1, 30), st.integers(-80, 80))
def test_reflection_is_folding_at_the_ends(count, index):
    expected = index
    while not 0 <= expected < count:
        expected = 2 * (count - 1) - expected if expected >= count else -expected
        expected = 0 if count == 1 else expected
    assert choose.reflected(np.array([index]), count)[0] == expected


@quick
@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 12), st.integers(0, 99))
def test_gaps_lie_within_the_largest(count, frames, gap, seed):
    places = _gaps(np.full((count, 1), 300), seed, frames, gap)
    steps = np.abs(np.diff(places))
    assert len(places) == frames and ((0 <= places) & (places < count)).all()
    assert (steps <= gap).all() and (count <= 2 * gap or (steps > 0).any() or frames == 1)


def test_gaps_of_a_long_video_are_all_used_and_half_of_the_clips_run_backwards():
    steps = np.array([np.diff(_gaps(np.full((400, 1), 300), seed)) for seed in range(300)])
    assert set(np.abs(steps).ravel()) == {1, 2, 3}
    assert 0.4 < (steps[:, 0] < 0).mean() < 0.6
    assert (np.diff(_gaps(np.full((400, 1), 300), 3, reverse=0.0)) > 0).all()


def test_reference_shows_enough_of_an_object():
    areas = np.full((20, 1), 150)
    areas[[4, 9]] = 201
    assert {int(_gaps(areas, seed, reverse=0.0)[0]) for seed in range(60)} == {4, 9}


def test_without_such_a_frame_the_first_one_is_the_reference():
    assert {int(_gaps(np.full((9, 1), 100), seed, reverse=0.0)[0]) for seed in range(9)} == {0}


def test_later_frames_show_no_object_that_the_reference_lacks():
    areas = np.full((40, 2), 300)
    areas[:20, 1] = 0  # the second object enters in the middle
    bad = {
        n: np.mean(
            [
                (areas[p[0], 1] == 0) and (areas[p[1:], 1] > 0).any()
                for p in (_gaps(areas, seed, attempts=n) for seed in range(300))
            ]
        )
        for n in (1, 5)
    }
    assert bad[5] < 0.02 < bad[1]


def test_a_choice_that_cannot_be_good_ends():
    areas = np.array([[0, 300], [300, 0]] * 3)
    assert len(_gaps(areas, 0)) == 5


@quick
@given(st.integers(3, 60), st.integers(1, 25), st.integers(0, 99))
def test_skips_keep_to_their_caps(count, skip, seed):
    first, second, third = choose.by_skip(
        count, 3, skip=skip, rng=np.random.default_rng(seed), reverse=0.0
    )
    skip = min(skip, count)
    assert 0 <= first <= min(count - skip, count - 1)
    assert first <= second <= min(first + skip + 1, count - skip, count - 1) or second == first
    assert second <= third <= min(second + skip + 1, count - skip // 2, count - 1)


def test_larger_skips_lie_farther_apart():
    far = [
        np.mean(
            [
                np.ptp(choose.by_skip(100, 3, skip=skip, rng=np.random.default_rng(seed)))
                for seed in range(80)
            ]
        )
        for skip in (5, 25)
    ]
    assert far[1] > 3 * far[0]


@pytest.mark.parametrize("last, end", [(0.9, 135_000), (0.8, 120_000)])
def test_skip_grows_and_falls_back(last, end):
    assert choose.skip_curriculum(150_000, last=last) == (
        (0, 5),
        (15_000, 10),
        (30_000, 15),
        (45_000, 20),
        (60_000, 25),
        (end, 5),
    )
