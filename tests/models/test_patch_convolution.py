"""The patches that TPUs multiply give what the convolution of one-hot identities gives."""

import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.models.aot.identity import CHANNELS, PatchConvolution


@pytest.mark.parametrize("size, pad, shape", [(17, 8, (33, 49)), (16, 0, (32, 48))])
def test_patches_equal_the_convolution(size, pad, shape):
    rng = np.random.default_rng(0)
    slots = jnp.asarray(rng.integers(0, CHANNELS, shape), jnp.int32)
    kernel = jnp.asarray(rng.standard_normal((size, size, CHANNELS, 8)), jnp.float32)
    bias = jnp.asarray(rng.standard_normal(8), jnp.float32)
    bank, params = PatchConvolution(8, size, pad), {"params": {"kernel": kernel, "bias": bias}}
    expected = bank.apply(params, slots, method="of_slots")
    patches = bank.apply(params, slots, kernel, bias, method="by_patches")
    assert patches.shape == expected.shape == (-(-shape[0] // 16), -(-shape[1] // 16), 8)
    np.testing.assert_allclose(patches, expected, atol=1e-3)
