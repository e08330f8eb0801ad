"""Batch norm in training: the batch's own statistics, and the averages that inference takes."""

import jax
import numpy as np
import pytest

from vosjax.layers.norm import EPSILON, BatchNorm, FrozenBatchNorm

PARAMS = {
    "scale": np.float32([2, 1]),
    "bias": np.float32([0, 1]),
    "mean": np.float32([1, -1]),
    "var": np.float32([4, 9]),
}


@pytest.fixture
def batch():
    return np.random.default_rng(0).normal(3, 2, (2, 4, 5, 2)).astype(np.float32)


def test_inference_is_that_of_frozen_norms(batch):
    ours, frozen = (kind().apply({"params": PARAMS}, batch) for kind in (BatchNorm, FrozenBatchNorm))
    np.testing.assert_array_equal(ours, frozen)


def test_training_takes_the_statistics_of_the_batch(batch):
    y, _ = BatchNorm(train=True).apply({"params": PARAMS}, batch, mutable="statistics")
    centred = batch - batch.mean((0, 1, 2))
    expected = centred / np.sqrt(batch.var((0, 1, 2)) + EPSILON) * PARAMS["scale"] + PARAMS["bias"]
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_averages_move_by_a_tenth_and_the_variance_is_unbiased(batch):
    _, changed = BatchNorm(train=True).apply({"params": PARAMS}, batch, mutable="statistics")
    mean, var = changed["statistics"]["mean"], changed["statistics"]["var"]
    np.testing.assert_allclose(mean, 0.9 * PARAMS["mean"] + 0.1 * batch.mean((0, 1, 2)), rtol=1e-5)
    unbiased = batch.reshape(-1, 2).var(0, ddof=1)
    np.testing.assert_allclose(var, 0.9 * PARAMS["var"] + 0.1 * unbiased, rtol=1e-5)


def test_inference_leaves_no_averages(batch):
    _, changed = BatchNorm().apply({"params": PARAMS}, batch, mutable="statistics")
    assert not jax.tree.leaves(changed)
