"""The kernel for labels on TPUs, interpreted, agrees with resizing, prompt and `to_labels`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.tracking.label_bands import bands_of, fits
from vosjax.tracking.label_kernel import label_kernel
from vosjax.tracking.labels import labels_at
from vosjax.types import Prompt

KERNEL = jax.jit(functools.partial(label_kernel, interpret=True), static_argnames="size")
IDS = np.array([0, 7, 200, 3], np.uint8)
LARGE = (40, 140)


def draw(height, width, *, slots=3):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((slots + 1, height, width)) * 3
    return jax.nn.softmax(jnp.asarray(logits, jnp.float32), 0)


def assert_agrees(probs, prompt, size):
    assert fits(probs.shape, size)
    labels, stats = KERNEL(probs, prompt, IDS, size=size)
    expected, expected_stats = labels_at(probs, prompt, IDS, size)
    assert labels.dtype == expected.dtype
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_allclose(stats, expected_stats, rtol=1e-5)
    return labels, stats


@pytest.mark.parametrize(
    "network, size",
    [(LARGE, LARGE), ((17, 65), (40, 300)), ((81, 145), (33, 128))],
    ids=["same", "larger", "smaller"],
)
def test_agrees_at_every_size_of_network_and_frame(network, size):
    assert_agrees(draw(*network), None, size)


def test_a_marked_object_is_returned_as_marked():
    marks = np.zeros(LARGE, np.int32)
    marks[5:20, 10:100] = 2
    prompt = Prompt(jnp.asarray(marks), np.array([False, True, False]))
    labels, stats = assert_agrees(draw(33, 129), prompt, LARGE)
    np.testing.assert_array_equal(np.asarray(labels) == 200, marks == 2)
    assert stats[1, 2] == (marks == 2).sum()


def test_a_prompt_without_objects_changes_nothing():
    nothing = Prompt(jnp.zeros(LARGE, jnp.int32), np.zeros(3, bool))
    assert_agrees(draw(33, 129), nothing, LARGE)


def test_a_band_s_rows_lie_in_two_blocks_of_the_network_s():
    bands = bands_of((4, 481, 849), (480, 854))
    assert len(bands.first) == 30 and bands.weights.shape == (30, 16, 2 * bands.rows)
    np.testing.assert_allclose(bands.weights.sum(2), 1, atol=1e-6)


def test_what_does_not_fit_on_the_chip_takes_the_plain_form():
    assert fits((11, 481, 849), (480, 854))
    assert not fits((101, 1081, 1921), (1080, 1920))
