"""Precise RoI pooling: the exact mean of a bilinearly interpolated map over the bins of boxes.

Jiang et al., "Acquisition of Localization Confidence for Accurate Object Detection" (ECCV 2018).
The map is extended by zeros, and element i lies at coordinate i. Its interpolant is a sum of
products of one tent function for each axis, so the integral over a bin separates into a matrix for
each axis, and pooling is two matrix products. Both the map and the boxes have gradients.
"""

import jax
import jax.numpy as jnp


def precise_roi_pool(
    features: jax.Array, rois: jax.Array, size: tuple[int, int], scale: float
) -> jax.Array:
    """Averages a map over the bins of every box.

        pooled = precise_roi_pool(features, rois, (4, 4), scale=1 / 16)

    Args:
        features: float [H, W, C].
        rois: float [R, 4], the corners (x0, y0, x1, y1) in pixels of the image.
        size: numbers (P, Q) of bins of a box, in rows and columns.
        scale: cells of the map per pixel of the image.

    Returns:
        [R, P, Q, C] in the dtype of `features`; zeros for a box whose width or height is not
        positive.
    """
    rows, columns = size
    corners = rois.astype(jnp.float32) * scale
    x0, y0, x1, y1 = (corners[:, i] for i in range(4))
    across, bin_width = _integrals(x0, x1, columns, features.shape[1])
    down, bin_height = _integrals(y0, y1, rows, features.shape[0])
    area = bin_width * bin_height
    positive = area > 0
    inverse = jnp.where(positive, 1 / jnp.where(positive, area, 1), 0)
    exact = jax.lax.Precision.HIGHEST
    strips = jnp.einsum("rph,hwc->rpwc", down, features.astype(jnp.float32), precision=exact)
    sums = jnp.einsum("rqw,rpwc->rpqc", across, strips, precision=exact)
    return (sums * inverse[:, None, None, None]).astype(features.dtype)


def _integrals(
    start: jax.Array, end: jax.Array, bins: int, cells: int
) -> tuple[jax.Array, jax.Array]:
    """Returns the integral of every cell's tent over every bin, [R, bins, cells], and bin lengths.

    A reversed interval has length zero, as in the reference.
    """
    length = jnp.maximum(end - start, 0) / bins
    borders = start[:, None] + length[:, None] * jnp.arange(bins + 1)
    below = _tent_integral(borders[..., None] - jnp.arange(cells))
    return below[:, 1:] - below[:, :-1], length


def _tent_integral(t: jax.Array) -> jax.Array:
    """Integrates max(0, 1 - |s|) over s from minus infinity to t."""
    u = jnp.clip(t, -1, 1)
    return 0.5 + u - 0.5 * u * jnp.abs(u)
