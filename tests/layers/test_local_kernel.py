"""The kernel of the window attention on TPUs, interpreted, agrees with the plain form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.layers.local_attention import plain_relative
from vosjax.layers.local_kernel import local_kernel


def draw(height, width, *, heads=2, channels=8, depth=4, radius=1, offset=True, dtype="float32"):
    rng = np.random.default_rng(0)
    side = 2 * radius + 1

    def one(*shape):
        return jnp.asarray(rng.standard_normal(shape), dtype)

    arrays = [
        one(height, width, heads, channels),
        one(height, width, heads, channels),
        one(height, width, heads, depth),
        one(heads, channels, side, side),
        one(heads, side, side),
    ]
    return [*arrays, one(heads, depth, side, side)] if offset else arrays


def difference(arrays):
    kernel = functools.partial(local_kernel, interpret=True)
    got, expected = jax.jit(kernel)(*arrays), jax.jit(plain_relative)(*arrays)
    assert got.dtype == expected.dtype
    return np.abs(np.asarray(got, np.float32) - np.asarray(expected, np.float32)).max()


@pytest.mark.parametrize(
    "height, width, radius",
    [
        (5, 6, 1),
        (11, 20, 1),
        (1, 7, 2),
        *(pytest.param(*sides, marks=pytest.mark.slow) for sides in ((11, 20, 2), (1, 7, 3))),
    ],
)
def test_equals_the_plain_form(height, width, radius):
    assert difference(draw(height, width, radius=radius)) < 1e-5


def test_one_wide_head_is_read_in_groups_of_channels_without_offsets():
    assert difference(draw(5, 6, heads=1, depth=512, offset=False)) < 1e-5


@pytest.mark.slow
def test_a_map_wider_than_a_row_of_lanes():
    assert difference(draw(2, 130, heads=1)) < 1e-5


def test_bfloat16_agrees_to_its_rounding():
    assert difference(draw(5, 6, dtype="bfloat16")) < 0.04
