"""The read of all memory elements as one kernel for TPUs, which never writes its logits.

Queries stay on the chip while blocks of keys and values pass by, so that every memory element is
fetched once for a block of queries and all heads, and slots that hold no frame are not fetched at
all. The arithmetic is that of `softmax`, with blocks of elements in the place of frames (Dao et
al. 2022, "FlashAttention").

JAX's own kernels (`pallas.ops.tpu.flash_attention`, `splash_attention`) want heads as an axis of
their own, in which 32 channels fill a quarter of a row of 128 lanes, and multiples of 128 tokens:
the memory would be copied, four times as large, for every read.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from vosjax.memory.affinity import EMPTY_LOGIT

LANES = 128
ROWS = 256  # queries whose logits are computed at a time
COLUMNS = 512  # memory elements of a block
ON_CHIP = 13 * 2**20  # most bytes of blocks of queries, results and memory on the chip, of 16 MB


class Layout(NamedTuple):
    """How the kernel divides its arrays.

    heads      number of heads
    inside     heads that one call of the kernel reads, side by side in its lanes: all, or 1
    key        channels C of a head's key
    value      channels D of a head's value
    queries    queries of a block
    positions  number P of memory elements of a frame
    columns    memory elements of a block
    """

    heads: int
    inside: int
    key: int
    value: int
    queries: int
    positions: int
    columns: int


def flash_read(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    *,
    metric: str = "dot",
    layer: int | None = None,
    interpret: bool = False,
) -> jax.Array:
    """Reads all memory elements, as `softmax.softmax_read` does, on a TPU.

        far = flash_read(query, key, value, valid)

    Args:
        query: [Q, heads or 1, C].
        key: [M, P, heads or 1, C].
        value: [M, P, heads, D].
        valid: [M, heads or 1] bool.
        metric: as for `affinity.affinity`.
        layer: the layer that is read of key and value [M, L, P, ...]; None if they have no layers.
        interpret: whether the kernel is interpreted, on any platform, which is for tests.

    Returns:
        [Q, heads, D] in the dtype of `value`; zeros if no slot is valid.
    """
    if layer is None:
        key, value, layer = key[:, None], value[:, None], 0
    count, frames = query.shape[0], key.shape[0]
    own_query, own_key = query.shape[1] > 1, key.shape[3] > 1
    layout = _layout(query, key, value)
    groups, inside = layout.heads // layout.inside, layout.inside
    scale = 1 / math.sqrt(layout.key)
    rows = -(-count // layout.queries) * layout.queries
    query = jnp.pad((query * scale).reshape(count, -1), ((0, rows - count), (0, 0)))
    filled = jnp.broadcast_to(valid, (frames, layout.heads)).astype(jnp.int32)
    blocks = -(-layout.positions // layout.columns)

    # The index of a block that holds no frame is that of another one, which is then not fetched
    # again. A group that shares queries or keys with all others has the first lanes.
    def at_query(group: Any, part: Any, frame: Any, block: Any, filled: Any) -> Any:
        return part, group if own_query else 0

    def at_result(group: Any, part: Any, frame: Any, block: Any, filled: Any) -> Any:
        return part, group

    def at_memory(own: bool, group: Any, part: Any, frame: Any, block: Any, filled: Any) -> Any:
        any_head = filled[frame, group * inside]
        for head in range(1, inside):
            any_head |= filled[frame, group * inside + head]
        return (
            jnp.where(any_head > 0, frame, 0),
            layer,
            jnp.where(any_head > 0, block, 0),
            group if own else 0,
        )

    query_width = layout.key * (inside if own_query else 1)
    key_width = layout.key * (inside if own_key else 1)
    value_width = layout.value * inside
    spec = pltpu.PrefetchScalarGridSpec(
        num_scalar_prefetch=1,
        grid=(groups, rows // layout.queries, frames, blocks),
        in_specs=[
            pl.BlockSpec((layout.queries, query_width), at_query),
            pl.BlockSpec((1, 1, layout.columns, key_width), functools.partial(at_memory, own_key)),
            pl.BlockSpec((1, 1, layout.columns, value_width), functools.partial(at_memory, True)),
        ],
        out_specs=pl.BlockSpec((layout.queries, value_width), at_result),
        scratch_shapes=[
            pltpu.VMEM((layout.queries, LANES), jnp.float32),
            pltpu.VMEM((layout.queries, LANES), jnp.float32),
            pltpu.VMEM((layout.queries, value_width), jnp.float32),
        ],
    )
    elements = frames * layout.positions
    memory = sum(x.size // x.shape[1] * x.dtype.itemsize for x in (key, value))
    cost = pl.CostEstimate(
        flops=2 * rows * elements * layout.heads * (layout.key + layout.value),
        transcendentals=rows * elements * layout.heads,
        bytes_accessed=(
            query.size * query.dtype.itemsize
            + rows * layout.heads * layout.value * value.dtype.itemsize
            + memory * (rows // layout.queries)
        ),
    )
    result: jax.Array = pl.pallas_call(
        functools.partial(_kernel, layout=layout, metric=metric),
        grid_spec=spec,
        out_shape=jax.ShapeDtypeStruct((rows, layout.heads * layout.value), value.dtype),
        compiler_params=pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "arbitrary", "arbitrary")
        ),
        cost_estimate=cost,
        interpret=interpret,
        name="memory_read",
    )(filled, query, _flat(key), _flat(value))
    return result[:count].reshape(count, layout.heads, layout.value)


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(*x.shape[:3], -1)


def _layout(query: jax.Array, key: jax.Array, value: jax.Array) -> Layout:
    """Divides the arrays of a read."""
    positions, heads, depth = value.shape[2:]
    channels = key.shape[4]
    own = [width for x, width in ((query, channels), (key, channels)) if x.shape[-2] > 1]
    # Blocks of lanes begin at multiples of 128, so narrow heads are read together.
    apart = heads > 1 and all(width % LANES == 0 for width in (*own, depth))
    inside = 1 if apart else heads
    size = value.dtype.itemsize
    wide = inside * depth
    # Blocks are there twice, since the next is fetched or the last is written meanwhile.
    bytes_of_row = 2 * size * (max(inside * channels, LANES) + wide) + 4 * (wide + 2 * LANES)
    memory = 2 * size * COLUMNS * (inside * channels + wide)
    most = max((ON_CHIP - memory) // bytes_of_row // ROWS, 1) * ROWS
    count = query.shape[0]
    parts = -(-count // most)
    step = ROWS if count > ROWS else 16
    queries = -(-count // (parts * step)) * step
    return Layout(heads, inside, channels, depth, queries, positions, COLUMNS)


def _kernel(
    filled: Any,
    query: Any,
    key: Any,
    value: Any,
    result: Any,
    peaks: Any,
    masses: Any,
    totals: Any,
    *,
    layout: Layout,
    metric: str,
) -> None:
    """Attends a block of queries [queries, W] to a block of elements, [1, 1, columns, W] each.

    Peaks and masses of head h are in lane h; the totals stand as the result.
    """
    group, frame, block = pl.program_id(0), pl.program_id(2), pl.program_id(3)
    last = (frame == pl.num_programs(2) - 1) & (block == pl.num_programs(3) - 1)
    chunk = min(ROWS, layout.queries)
    chunks = layout.queries // chunk
    left = layout.positions - block * layout.columns  # elements from the block's first on

    def lanes(head: int, x: Any, width: int) -> slice:
        return slice(head * width, (head + 1) * width) if x.shape[-1] > width else slice(None)

    @pl.when((frame == 0) & (block == 0))
    def _start() -> None:
        peaks[...] = jnp.full_like(peaks, EMPTY_LOGIT)
        masses[...] = jnp.zeros_like(masses)
        totals[...] = jnp.zeros_like(totals)

    def attend(head: int) -> None:
        keys = key[0, 0, :, lanes(head, key, layout.key)]
        values = value[0, 0, :, lanes(head, value, layout.value)]
        beyond = jax.lax.broadcasted_iota(jnp.int32, values.shape, 0) >= left
        values = jnp.where(beyond, 0, values)  # what is read past the end may be NaN
        columns = jax.lax.broadcasted_iota(jnp.int32, (chunk, layout.columns), 1)
        if metric == "l2":
            wide = keys.astype(jnp.float32)
            squares = _dot(
                jnp.ones((chunk, layout.key)), wide * wide, precision=jax.lax.Precision.HIGHEST
            )

        def rows(index: Any, carry: Any) -> Any:
            part = pl.ds(pl.multiple_of(index * chunk, chunk), chunk)
            dots = _dot(query[part, lanes(head, query, layout.key)], keys)
            if metric == "l2":
                dots = 2 * dots - squares * (1 / math.sqrt(layout.key))
            logits = jnp.where(columns < left, dots, EMPTY_LOGIT)
            peak = peaks[part, head : head + 1]
            higher = jnp.maximum(peak, jnp.max(logits, 1, keepdims=True))
            weights = jnp.exp(logits - higher)
            fade = jnp.exp(peak - higher)
            peaks[part, head : head + 1] = higher
            masses[part, head : head + 1] = masses[part, head : head + 1] * fade + jnp.sum(
                weights, 1, keepdims=True
            )
            own = lanes(head, value, layout.value)
            totals[part, own] = totals[part, own] * fade + jnp.dot(
                weights.astype(values.dtype), values, preferred_element_type=jnp.float32
            )
            return carry

        jax.lax.fori_loop(0, chunks, rows, 0)

    for head in range(layout.inside):
        pl.when(filled[frame, group * layout.inside + head] > 0)(functools.partial(attend, head))

    @pl.when(last)
    def _end() -> None:
        for head in range(layout.inside):
            own = lanes(head, value, layout.value)
            mass = masses[:, head : head + 1]
            result[:, own] = (totals[:, own] / jnp.where(mass > 0, mass, 1)).astype(result.dtype)


def _dot(left: jax.Array, right: jax.Array, precision: Any = None) -> jax.Array:
    """Returns the products [A, B] of the rows of [A, C] and [B, C]."""
    return jax.lax.dot_general(
        left,
        right,
        (((1,), (1,)), ((), ())),
        precision=precision,
        preferred_element_type=jnp.float32,
    )
