"""Attention to a square window of another frame (AOT's short-term attention).

A query in row y attends to the rows y-R..y+R only, so one row of queries times the band of 2R+1
rows of keys is a plain matrix product, in which columns outside the window are masked. Relative
terms are converted between the coordinates of the window and of the band by a skew: padding rows to
length M+1 and reshaping them to length M shifts row w by w positions.
"""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from vosjax.layers.attention import join_heads, split_heads
from vosjax.layers.local_blocks import fits
from vosjax.memory.kernels import on_one_tpu

OUTSIDE = -1e9  # logit of positions outside the window or the map


def _to_band(window: jax.Array, width: int) -> jax.Array:
    """Maps [..., W, K] to [..., W, width]: entry (w, d) goes to column w + d - R; the rest is 0."""
    side = window.shape[-1]
    row = width + side - 1  # length of a padded row
    flat = jnp.pad(window, [(0, 0)] * (window.ndim - 1) + [(0, row + 1 - side)])
    flat = flat.reshape(*window.shape[:-2], -1)[..., : width * row]
    return flat.reshape(*window.shape[:-2], width, row)[..., side // 2 : side // 2 + width]


def _to_window(band: jax.Array, side: int) -> jax.Array:
    """Maps [..., W, W] to [..., W, side]: the inverse of `_to_band`."""
    width = band.shape[-1]
    row = width + side - 1
    padded = jnp.pad(band, [(0, 0)] * (band.ndim - 1) + [(side // 2, side // 2)])
    flat = padded.reshape(*band.shape[:-2], -1)
    flat = jnp.pad(flat, [(0, 0)] * (flat.ndim - 1) + [(0, width)])
    return flat.reshape(*band.shape[:-2], width, row + 1)[..., :side]


def local_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    bias: jax.Array,
    *,
    radius: int,
    offsets: jax.Array | None = None,
) -> jax.Array:
    """Computes softmax attention of every position to a window of positions around it.

        near = local_attention(query, key, value, bias, radius=7)

    The window has K x K positions, K = 2 radius + 1. Logits are q.k / sqrt(C) + bias; positions
    outside the map take no part.

    Args:
        query: [h, w, heads, C].
        key: [h, w, heads, C], of the other frame.
        value: [h, w, heads, D], of the other frame.
        bias: float32 [h, w, heads, K, K], added to the logits, rows first.
        radius: radius of the window, in positions.
        offsets: [heads, D, K, K], added to the values by their position in the window, or None.

    Returns:
        [h, w, heads, D].

    Source: AOT (arXiv 2106.02638), section 5.3.
    """
    height, width, heads, depth = query.shape
    side = 2 * radius + 1
    scale = 1 / math.sqrt(depth)
    apart = np.arange(width)[None] - np.arange(width)[:, None]
    column_inside = np.abs(apart) <= radius  # [W query, W key]
    row_of = np.arange(height)[:, None] + np.arange(side) - radius
    row_inside = (row_of >= 0) & (row_of < height)  # [H, K]

    def bands(x: jax.Array) -> jax.Array:  # [heads, H + 2R, W, C]
        return jnp.pad(x, ((radius, radius), (0, 0), (0, 0), (0, 0))).transpose(2, 0, 1, 3)

    def attend(key: jax.Array, value: jax.Array, row: jax.Array) -> jax.Array:
        query, bias, inside, y = row  # [heads, W, C], [heads, K, W, K], [K]
        key, value = (
            jax.lax.dynamic_slice_in_dim(x, y, side, 1).reshape(heads, side * width, x.shape[-1])
            for x in (key, value)
        )
        logits = jnp.einsum("nwc,nsc->nws", query, key, preferred_element_type=jnp.float32) * scale
        band_bias = _to_band(bias, width).transpose(0, 2, 1, 3)  # [heads, W, K, W]
        allowed = column_inside[:, None] & inside[:, None]  # [W, K, W]
        logits = jnp.where(allowed, logits.reshape(band_bias.shape) + band_bias, OUTSIDE)
        weights = jax.nn.softmax(logits.reshape(heads, width, -1), -1).astype(value.dtype)
        mixed = jnp.einsum("nws,nsd->nwd", weights, value)
        if offsets is not None:
            window = _to_window(weights.reshape(band_bias.shape).transpose(0, 2, 1, 3), side)
            mixed += jnp.einsum("nkwj,ndkj->nwd", window, offsets)
        return mixed

    rows = (
        query.transpose(0, 2, 1, 3),
        bias.transpose(0, 2, 3, 1, 4),
        jnp.asarray(row_inside),
        jnp.arange(height),
    )
    key, value = bands(key), bands(value)

    def one_by_one(key: jax.Array, value: jax.Array, rows: jax.Array) -> jax.Array:
        return jax.lax.map(jax.checkpoint(lambda row: attend(key, value, row)), rows)

    def at_once(key: jax.Array, value: jax.Array, rows: jax.Array) -> jax.Array:
        return jax.vmap(lambda row: attend(key, value, row))(rows)

    mixed = jax.lax.platform_dependent(key, value, rows, cpu=one_by_one, default=at_once)
    return mixed.transpose(0, 2, 1, 3)


def relative_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    relative: jax.Array,
    constant: jax.Array,
    offsets: jax.Array | None = None,
) -> jax.Array:
    """Computes `local_attention` with a bias that is linear in the query (AOT, section 5.3).

        near = relative_attention(query, key, value, relative, constant, offsets)

    On a TPU it is one kernel (`local_kernel`), unless a derivative is taken or the map is too wide
    for it.

    Args:
        query: [h, w, heads, C], not scaled.
        key: [h, w, heads, C], of the other frame.
        value: [h, w, heads, D], of the other frame.
        relative: [heads, C, K, K]; its product with the query is part of the bias.
        constant: [heads, K, K], the other part.
        offsets: [heads, D, K, K], or None, as for `local_attention`.

    Returns:
        [h, w, heads, D].
    """
    arrays = (query, key, value, relative, constant, offsets)
    if not fits(query, value, relative.shape[-1], offsets=offsets is not None):
        return plain_relative(*arrays)
    leaves, tree = jax.tree.flatten(arrays)

    def of(form: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        return lambda *leaves: form(*jax.tree.unflatten(tree, leaves))

    attended: jax.Array = on_one_tpu(of(_kernel), of(plain_relative), *leaves)
    return attended


def _kernel(*arrays: Any) -> jax.Array:
    from vosjax.layers.local_kernel import local_kernel  # imports Pallas, which TPUs alone need

    return local_kernel(*arrays)


def plain_relative(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    relative: jax.Array,
    constant: jax.Array,
    offsets: jax.Array | None = None,
) -> jax.Array:
    """Computes `relative_attention` on any platform, with a derivative."""
    heads, side = relative.shape[0], relative.shape[-1]
    # Heads come first: only so does XLA's CPU backend sum bfloat16 products in float32.
    bias = jnp.einsum(
        "yxnc,nck->nyxk",
        query,
        relative.reshape(*relative.shape[:2], side * side),
        preferred_element_type=jnp.float32,
    )
    bias = bias.transpose(1, 2, 0, 3) + constant.reshape(heads, side * side)
    return local_attention(
        query,
        key,
        value,
        bias.reshape(*bias.shape[:3], side, side),
        radius=side // 2,
        offsets=offsets,
    )


class LocalAttention(nn.Module):
    """Short-term attention with relative terms (AOT, section 5.3).

    The relative key term is linear in the unscaled query.

    Attributes:
        heads: number of heads.
        radius: radius of the window, in positions.
        offset: whether there is a relative value term, which DeAOT leaves out.
    """

    heads: int
    radius: int = 7
    offset: bool = True

    @nn.compact
    def __call__(
        self, query: jax.Array, key: jax.Array, value: jax.Array, grid: tuple[int, int]
    ) -> jax.Array:
        """Maps query [P, C], key [P, C] and value [P, D] of a grid (h, w) to [P, D]."""
        side = 2 * self.radius + 1
        query, key, value = (
            split_heads(x, self.heads).reshape(*grid, self.heads, -1) for x in (query, key, value)
        )
        init = nn.initializers.xavier_uniform()
        relative = self.param("relative_key", init, (self.heads, query.shape[-1], side * side))
        constant = self.param("relative_bias", nn.initializers.zeros, (self.heads, side * side))
        offsets = None
        if self.offset:
            offsets = self.param("relative_value", init, (self.heads, value.shape[-1], side * side))
            offsets = offsets.reshape(*offsets.shape[:2], side, side)
        near = relative_attention(
            query,
            key,
            value,
            relative.reshape(*relative.shape[:2], side, side),
            constant.reshape(-1, side, side),
            offsets,
        )
        return join_heads(near).reshape(grid[0] * grid[1], -1)
