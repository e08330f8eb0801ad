"""The grouped convolution equals the compiler's own, in every form; stochastic depth's law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.layers.drop_path import drop_path
from vosjax.layers.grouped import grouped_conv


@pytest.mark.parametrize(
    "groups, inside, out, stride",
    [(2, 8, 16, 1), (32, 4, 128, 1), (32, 4, 128, 2), (6, 2, 24, 1), (1, 3, 5, 2)],
)
def test_it_is_a_grouped_convolution(groups, inside, out, stride):
    keys = jax.random.split(jax.random.key(0))
    x = jax.random.normal(keys[0], (2, 9, 12, groups * inside))
    kernel = jax.random.normal(keys[1], (3, 3, inside, out))
    want = jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((1, 1), (1, 1)),
        feature_group_count=groups,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    got = grouped_conv(x, kernel, groups=groups, stride=stride)
    np.testing.assert_allclose(got, want, atol=2e-5)


def test_drop_path_scales_what_it_keeps():
    x = jnp.ones((4000, 2, 3))
    kept = drop_path(x, 0.25, jax.random.key(0))
    assert set(np.unique(kept)) == {0.0, np.float32(1 / 0.75)}
    assert np.ptp(kept, axis=(1, 2)).max() == 0  # one draw a sample
    assert abs(float(kept.mean()) - 1) < 0.05


def test_drop_path_rests_without_a_key_or_a_rate():
    x = jnp.arange(6.0).reshape(3, 2)
    assert drop_path(x, 0.5, None) is x
    assert drop_path(x, 0.0, jax.random.key(0)) is x
