"""Colour changes of frames."""

import numpy as np
import pytest

from vosjax.data import jitter

FRAME = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


def _changed(kind, factor):
    return jitter.apply(FRAME, jitter.Drawn(((kind, factor),), False, 0.0)).astype(int)


def _near(one, two, by=1.01):
    return np.abs(one - np.clip(two, 0, 255)).max() <= by


def test_brightness_multiplies_and_saturates():
    assert _near(_changed(0, 1.4), FRAME * 1.4)


def test_contrast_moves_away_from_the_mean_grey():
    grey = (FRAME @ [0.299, 0.587, 0.114]).mean()
    assert _near(_changed(1, 0.6), 0.6 * FRAME + 0.4 * grey, by=1.6)


def test_saturation_moves_away_from_grey():
    grey = FRAME @ [0.299, 0.587, 0.114]
    assert _near(_changed(2, 1.2), 1.2 * FRAME - 0.2 * grey[..., None])


def test_a_third_of_a_turn_of_hue_swaps_the_channels():
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 200
    turned = jitter.apply(red, jitter.Drawn(((3, 1 / 3),), False, 0.0))
    assert np.abs(turned[0, 0].astype(int) - [0, 200, 0]).max() <= 3


def test_grey_has_equal_channels():
    out = jitter.apply(FRAME, jitter.Drawn((), True, 0.0))
    assert (np.ptp(out, -1) == 0).all()


def test_blur_keeps_the_mean_and_takes_the_detail():
    out = jitter.apply(FRAME, jitter.Drawn((), False, 2.0))
    assert abs(out.mean() - FRAME.mean()) < 3 and out.std() < 0.5 * FRAME.std()


def test_no_change_is_no_change():
    drawn = jitter.draw(np.random.default_rng(0), jitter.NONE)
    assert drawn == ((), False, 0.0) and jitter.apply(FRAME, drawn) is FRAME


@pytest.mark.parametrize(
    "what, share",
    [(lambda d: bool(d.changes), 0.8), (lambda d: d.grey, 0.2), (lambda d: d.sigma > 0, 0.3)],
)
def test_second_augmentation_has_the_stated_probabilities(what, share):
    rng = np.random.default_rng(0)
    drawn = [jitter.draw(rng, jitter.V2) for _ in range(2000)]
    assert abs(np.mean([what(d) for d in drawn]) - share) < 0.03


def test_factors_lie_in_their_ranges_and_orders_vary():
    rng = np.random.default_rng(0)
    drawn = [d.changes for d in (jitter.draw(rng, jitter.V2) for _ in range(400)) if d.changes]
    factors = np.array([[dict(changes)[kind] for kind in range(4)] for changes in drawn])
    assert (np.abs(factors - [1, 1, 1, 0]) <= [0.4, 0.4, 0.2, 0.1]).all()
    assert (np.ptp(factors, 0) > [0.7, 0.7, 0.35, 0.17]).all()
    assert len({tuple(kind for kind, _ in changes) for changes in drawn}) == 24
