"""Losses of a frame: what counts, what is ignored, and gradients that stay finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.train import losses

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(5, 12, 14)).astype(np.float32)
LABELS = RNG.integers(0, 3, (12, 14)).astype(np.uint8)
LIVE = np.array([True, True, False, False])


def sorted_mean(values, count):
    return np.sort(values.ravel())[::-1][:count].mean()


@pytest.mark.parametrize("count", [1, 7, 100, 168])
def test_mean_of_the_largest_is_that_of_a_sort(count):
    values = RNG.exponential(size=(12, 14)).astype(np.float32)
    mean = losses.mean_of_largest(jnp.asarray(values), jnp.int32(count))
    assert mean == pytest.approx(sorted_mean(values, count), rel=1e-6)


def test_ties_share_the_gradient_of_the_last_place():
    values = jnp.array([3.0, 1.0, 1.0, 0.0])
    grad = jax.grad(losses.mean_of_largest)(values, 2)
    np.testing.assert_allclose(grad, [0.5, 0.25, 0.25, 0])


def test_ignored_pixels_count_as_pixels_without_loss():
    half = LABELS.copy()
    half[:6] = losses.IGNORED
    whole = losses.bootstrapped_cross_entropy(LOGITS[:, 6:], LABELS[6:], LIVE, 84)
    assert losses.bootstrapped_cross_entropy(LOGITS, half, LIVE, 168) == pytest.approx(
        float(whole) / 2
    )


def test_jaccard_does_not_see_ignored_pixels():
    half = LABELS.copy()
    half[:6] = losses.IGNORED
    lower = float(losses.soft_jaccard(LOGITS[:, 6:], LABELS[6:], LIVE))
    assert losses.soft_jaccard(LOGITS, half, LIVE) == pytest.approx(lower, rel=1e-6)


def test_absent_classes_have_no_jaccard():
    without = np.where(LABELS == 2, 0, LABELS)
    sure = 20 * (without[None] == np.arange(5)[:, None, None]).astype(np.float32)
    assert losses.soft_jaccard(sure, without, LIVE) == pytest.approx(0, abs=1e-4)


def test_a_frame_that_is_ignored_as_a_whole_has_no_loss():
    nothing = np.full_like(LABELS, losses.IGNORED)
    assert losses.frame_loss(LOGITS, nothing, LIVE, 50).total == 0


def test_slots_that_are_not_live_get_no_gradient():
    logits = np.where(np.array([1, *LIVE])[:, None, None], LOGITS, -1e10).astype(np.float32)
    grad = jax.grad(lambda x: losses.frame_loss(x, LABELS, LIVE, 90).total)(logits)
    assert np.isfinite(grad).all() and not np.asarray(grad[3:]).any()
    assert np.asarray(grad[:3]).any()


def test_background_alone_has_no_loss():
    loss = losses.frame_loss(LOGITS, np.zeros_like(LABELS), np.zeros(4, bool), 168)
    assert loss.total == pytest.approx(0, abs=1e-6)


def test_weight_zero_leaves_the_cross_entropy():
    loss = losses.frame_loss(LOGITS, LABELS, LIVE, 90, jaccard_weight=0.0)
    assert loss.total == loss.cross_entropy


def test_object_jaccard_of_known_maps():
    truth = np.array([[1, 1, 0, 255]])
    mine = np.array([[1, 0, 1, 1]])
    jaccards = losses.object_jaccard(mine, truth, np.array([True, True]))
    np.testing.assert_allclose(jaccards, [1 / 3, 1])  # slot 2 is in neither
