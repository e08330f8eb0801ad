"""The stem of an encoder that sees masks: the image's part is shared, the masks' part is added."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.backbones.resnet import ResNet, Variant, stem_of_image, stem_of_masks

IMAGE = jax.random.normal(jax.random.key(1), (1, 32, 48, 3))
STEMS = ("conv1_m", "conv1_o")
SHORT = Variant(bottleneck=False, depths=(1, 1, 1))


def drawn(encoder, *args, **kwargs):
    """Random weights, with biases that are not zero."""
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), *args, **kwargs)["params"]
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.uniform(0.01, 0.05, x.shape).astype(x.dtype), shapes)


@pytest.mark.parametrize("masks", [1, 2], ids=["without the other objects", "with them"])
def test_channels_of_one_kernel_are_divided(masks):
    planes = jax.random.uniform(jax.random.key(3), (1, 32, 48, masks))
    images = jnp.concatenate([IMAGE, planes], -1)
    encoder = ResNet(SHORT, bias=True)
    params = drawn(encoder, images)
    whole = jax.jit(encoder.apply)({"params": params}, images)
    stem = stem_of_image(params, IMAGE) + stem_of_masks(params, planes)
    parts = jax.jit(encoder.apply)({"params": params}, stem=stem)
    for one, other in zip(whole, parts):
        np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(one).max())


def test_stems_of_their_own_are_one_convolution():
    planes = jax.random.uniform(jax.random.key(3), (1, 32, 48, len(STEMS)))
    extras = tuple(planes[..., index, None] for index in range(len(STEMS)))
    encoder = ResNet(SHORT, extra_stems=STEMS)
    params = drawn(encoder, IMAGE, extras=extras)
    whole = jax.jit(encoder.apply)({"params": params}, IMAGE, extras=extras)
    stem = stem_of_image(params, IMAGE) + stem_of_masks(params, planes, STEMS)
    parts = jax.jit(encoder.apply)({"params": params}, stem=stem)
    for one, other in zip(whole, parts):
        np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(one).max())
