"""Precise RoI pooling is the reference's, with its gradients to the map and to the boxes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import backbone_goldens as goldens

from vosjax.layers.roi_pool import precise_roi_pool

TINY = 3  # the golden's box of 0.6 by 0.8 pixels, whose figures hold float32 noise of 2e-5
SIZES = [(5, 5, 8), (3, 3, 16), (1, 1, 16), (4, 4, 16), (3, 2, 8)]  # rows, columns, 1 / scale


@pytest.fixture(scope="module")
def golden():
    return goldens.arrays("dimp/prroipool.npz")


def pool_batch(maps, rois, size, scale):
    """Pools from maps [B, C, H, W] by rois [R, 5] that begin with an image's index -> NCHW."""
    channels_last = jnp.moveaxis(maps, 1, -1)
    images = rois[:, 0].astype(int)
    pooled = jax.vmap(
        lambda image, roi: precise_roi_pool(channels_last[image], roi[None], size, scale)[0]
    )(images, rois[:, 1:])
    return jnp.moveaxis(pooled, -1, 1)


def differentiated(maps, rois, size, scale, upstream):
    """The output, and the gradients to maps and boxes."""
    weights = upstream((len(rois), maps.shape[1], *size)).astype(np.float32)

    @jax.jit
    def run(maps, boxes):
        def pooled(maps, boxes):
            return pool_batch(maps, jnp.concatenate([rois[:, :1], boxes], 1), size, scale)

        out, pull = jax.vjp(pooled, maps, boxes)
        return out, *pull(weights)

    return run(maps, rois[:, 1:])


def relative(a, b):
    return np.abs(np.asarray(a) - b).max() / np.abs(b).max()


@pytest.mark.parametrize("rows, columns, inverse", SIZES)
def test_pooling_and_gradients_are_the_references(golden, rows, columns, inverse):
    """Seven boxes, among them some outside of the map, one without width and one reversed."""
    key = f"{rows}_{columns}_{inverse}"

    def upstream(shape):
        return np.linspace(-1, 1, np.prod(shape)).reshape(shape)

    out, to_maps, to_boxes = differentiated(
        golden["feat"], golden["rois"], (rows, columns), 1 / inverse, upstream
    )
    usual = np.arange(len(golden["rois"])) != TINY
    reference = golden[f"out_{key}"]
    assert relative(out[usual], reference[usual]) < 1e-6
    assert relative(out[TINY], reference[TINY]) < 1e-4
    assert relative(to_maps[0], golden[f"dfeat_{key}"][0]) < 1e-6
    assert relative(to_maps[1], golden[f"dfeat_{key}"][1]) < 1e-4  # the tiny box's image
    reference = golden[f"drois_{key}"][:, 1:]
    assert relative(to_boxes[usual], reference[usual]) < 1e-5
    assert relative(to_boxes[TINY], reference[TINY]) < 5e-3


def test_the_published_kernels_own_figures(golden):
    prefix = "official_2_2_half_"
    out, to_maps, to_boxes = differentiated(
        golden[f"{prefix}features"], golden[f"{prefix}rois"], (2, 2), 0.5, np.ones
    )
    assert relative(out, golden[f"{prefix}real_outputs"]) < 1e-6
    assert relative(to_maps, golden[f"{prefix}gradients0"]) < 1e-6
    assert relative(to_boxes, golden[f"{prefix}gradients1"][:, 1:]) < 1e-5


def test_a_box_without_area_is_zero_and_has_finite_gradients():
    features = jnp.ones((4, 5, 2))
    box = jnp.array([[1.0, 1.0, 1.0, 3.0]])
    out, pull = jax.vjp(lambda box: precise_roi_pool(features, box, (2, 2), 1.0), box)
    assert not out.any()
    assert np.isfinite(pull(jnp.ones_like(out))[0]).all()
