"""Window attention with relative terms as one kernel for TPUs, which never writes its logits.

A step of the kernel takes a few rows of queries and fetches the rows of keys and values around
them. One row of queries against its band of 2R + 1 rows of keys is a matrix product; the relative
terms, whose columns count from the query, are brought to the columns of the band by rotating row x
of a matrix by x - R places, and weights are brought back by the inverse rotation.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from vosjax.layers.local_blocks import ROWS, group_of, padded_sides

OUTSIDE = -1e9  # logit of positions outside the window or the map


def local_kernel(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    relative: jax.Array,
    constant: jax.Array,
    offsets: jax.Array | None = None,
    *,
    interpret: bool = False,
) -> jax.Array:
    """Computes `local_attention.relative_attention`, with the same arguments, on a TPU.

        near = local_kernel(query, key, value, relative, constant, offsets)

    Args:
        query: [h, w, heads, C].
        key: [h, w, heads, C].
        value: [h, w, heads, D].
        relative: [heads, C, K, K].
        constant: [heads, K, K].
        offsets: [heads, D, K, K], or None.
        interpret: whether the kernel is interpreted, on any platform, which is for tests.

    Returns:
        [h, w, heads, D] in the dtype of `value`.
    """
    height, width, heads, channels = query.shape
    depth, side = value.shape[-1], relative.shape[-1]
    radius = side // 2
    band, columns = padded_sides(width, side)
    rows = -(-height // ROWS) * ROWS
    group = group_of(value)

    def padded(x: jax.Array, above: int) -> jax.Array:
        below = rows - height + above
        around = ((above, below), (0, columns - width), (0, 0))
        return jnp.pad(x.reshape(height, width, -1), around)

    def table(x: jax.Array) -> jax.Array:  # [..., K, K] -> [..., K * band]
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, band - side)])
        return x.reshape(*x.shape[:-2], side * band)

    arrays = [
        padded(query, 0),
        padded(key, radius),
        padded(value, radius),
        table(relative).reshape(heads * channels, -1),
        table(constant.astype(jnp.float32)),
    ]
    whole = pl.BlockSpec(memory_space=pltpu.MemorySpace.HBM)

    def fixed(x: jax.Array) -> pl.BlockSpec:
        return pl.BlockSpec(x.shape, lambda part, step: (0, 0))

    specs = [
        pl.BlockSpec((ROWS, columns, heads * channels), lambda part, step: (step, 0, 0)),
        whole,
        whole,
        fixed(arrays[3]),
        fixed(arrays[4]),
    ]
    if offsets is not None:
        arrays.append(table(offsets).reshape(heads * depth, -1))
        specs.append(fixed(arrays[5]))
    fetched = ROWS + 2 * radius
    positions = rows * columns
    size = value.dtype.itemsize
    halo = fetched / ROWS
    result = pl.pallas_call(
        functools.partial(
            _kernel, height=height, width=width, heads=heads, side=side, group=group, band=band
        ),
        grid=(heads * depth // group, rows // ROWS),
        in_specs=specs,
        out_specs=pl.BlockSpec((ROWS, columns, group), lambda part, step: (step, 0, part)),
        out_shape=jax.ShapeDtypeStruct((rows, columns, heads * depth), value.dtype),
        scratch_shapes=[
            pltpu.VMEM((fetched, band, heads * channels), key.dtype),
            pltpu.VMEM((fetched, band, group), value.dtype),
            pltpu.SemaphoreType.DMA((2,)),
        ],
        compiler_params=pltpu.CompilerParams(dimension_semantics=("arbitrary", "arbitrary")),
        cost_estimate=pl.CostEstimate(
            flops=int(4 * positions * side * band * heads * (channels + depth)),
            transcendentals=positions * side * band * heads,
            bytes_accessed=int(
                sum(x.size * x.dtype.itemsize for x in (arrays[0], *arrays[3:]))
                + positions * size * heads * (halo * (channels + depth) + depth)
            ),
        ),
        interpret=interpret,
        name="local_attention",
    )(*arrays)
    return result[:height, :width].reshape(height, width, heads, depth)


def _kernel(
    query: Any,
    all_keys: Any,
    all_values: Any,
    relative: Any,
    constant: Any,
    *rest: Any,
    height: int,
    width: int,
    heads: int,
    side: int,
    group: int,
    band: int,
) -> None:
    """Attends ROWS rows of queries; `rest` are the offsets, if any, the result and scratch."""
    *tables, result, keys, values, arrived = rest
    part, step = pl.program_id(0), pl.program_id(1)
    columns, radius = query.shape[1], side // 2
    channels, depth = query.shape[2] // heads, group // heads
    rows = pl.ds(step * ROWS, keys.shape[0])
    copies = [
        pltpu.make_async_copy(all_keys.at[rows], keys.at[:, pl.ds(0, columns)], arrived.at[0]),
        pltpu.make_async_copy(
            all_values.at[rows, :, pl.ds(part * group, group)],
            values.at[:, pl.ds(0, columns)],
            arrived.at[1],
        ),
    ]
    for copy in copies:
        copy.start()

    @pl.when((part == 0) & (step == 0))
    def _clear() -> None:
        for scratch in (keys, values):
            beyond = scratch.shape[1] - columns
            scratch[:, columns:] = jnp.zeros(
                (scratch.shape[0], beyond, scratch.shape[2]), scratch.dtype
            )

    for copy in copies:
        copy.wait()
    at = jax.lax.broadcasted_iota(jnp.int32, (columns, band), 0)
    to = jax.lax.broadcasted_iota(jnp.int32, (columns, band), 1)
    near = (jnp.abs(to - at) <= radius) & (to < width)

    def parts(x: jax.Array) -> list[jax.Array]:
        return [x[:, place * band : (place + 1) * band] for place in range(side)]

    def to_band(x: jax.Array) -> jax.Array:
        """Rotates row x to the right by x - radius places."""
        return pltpu.roll(x, band - radius, 1, stride=1, stride_axis=0)

    def to_window(x: jax.Array) -> jax.Array:
        """Rotates row x to the left by x - radius places, by powers of two (no stride is < 0)."""
        x = pltpu.roll(x, radius, 1)
        for bit in range((columns - 1).bit_length()):
            x = jnp.where(at & 2**bit > 0, pltpu.roll(x, band - 2**bit, 1), x)
        return x

    def row(y: Any, carry: Any) -> Any:
        for head in range(heads):
            lanes = slice(head * channels, (head + 1) * channels)
            own = slice(head * depth, (head + 1) * depth)
            asked = query[y, :, lanes]
            around = keys[pl.ds(y, side), :, lanes].reshape(side * band, channels)
            read = values[pl.ds(y, side), :, own].reshape(side * band, depth)
            dots = _dot(asked, around) * (1 / math.sqrt(channels))
            biases = jnp.dot(asked, relative[lanes], preferred_element_type=jnp.float32)
            biases += constant[head : head + 1]
            logits = []
            for place, (product, bias) in enumerate(zip(parts(dots), parts(biases))):
                line = step * ROWS + y + place - radius
                inside = near & (line >= 0) & (line < height)
                logits.append(jnp.where(inside, product + to_band(bias), OUTSIDE))
            peak = functools.reduce(jnp.maximum, [x.max(1, keepdims=True) for x in logits])
            weights = jnp.exp(jnp.concatenate(logits, 1) - peak)
            weights = weights / weights.sum(1, keepdims=True)
            mixed = jnp.dot(weights.astype(read.dtype), read, preferred_element_type=jnp.float32)
            if tables:
                window = jnp.concatenate([to_window(x) for x in parts(weights)], 1)
                mixed += _dot(window.astype(read.dtype), tables[0][own])
            result[y, :, own] = mixed.astype(result.dtype)
        return carry

    jax.lax.fori_loop(0, ROWS, row, 0)


def _dot(left: jax.Array, right: jax.Array) -> jax.Array:
    """Returns the products [A, B] of the rows of [A, C] and [B, C]."""
    return jax.lax.dot_general(
        left, right, (((1,), (1,)), ((), ())), preferred_element_type=jnp.float32
    )
