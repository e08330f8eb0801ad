"""The weights of a read with top-k as one kernel for TPUs, which never writes its logits.

The logits of a block of queries with all memory elements stay on the chip, as integers in the same
order. The k-th largest is searched for by bisection: how many elements reach the middle of what is
possible? It begins above the k-th largest of the maxima of 512 groups of elements, so that few
steps are left. Of equal logits at the k-th place the first ones are kept, by a bisection of their
columns. What is written are the weights of all elements, most of them zero, by which one matrix
product then reads the values.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from vosjax.memory.affinity import EMPTY_LOGIT, Kernel

LANES = 128
COLUMNS = 512  # memory elements of a block, and groups whose maxima begin the search
ROWS = 16  # the queries of a block are a multiple of it, and at most MOST
MOST = 256
ON_CHIP = 8 * 2**20  # most bytes of logits on the chip, of 16 MB


def fits(columns: int) -> bool:
    """Says whether the logits of a block of queries fit on the chip: up to 131,072 elements."""
    return _padded(columns) * ROWS * 4 <= ON_CHIP


def top_weights(
    query: jax.Array,
    key: jax.Array,
    filled: jax.Array,
    k: int,
    *,
    metric: str = "dot",
    best: jax.Array | None = None,
    kernel: Kernel | None = None,
    interpret: bool = False,
) -> jax.Array:
    """Computes the weights of all memory elements in a read of the k with the largest logits.

        weights = top_weights(query, key, filled, 20, metric="l2")
        readout = weights @ value                       # [Q, S] @ [S, D]

    Args:
        query: [Q, C].
        key: [S, C]; as many elements as `fits` allows.
        filled: [S] bool, the elements that are there.
        k: number of elements that a query reads; of equal ones the first, as `lax.top_k`.
        metric: as for `affinity.affinity`.
        best: [S] int32, the query that each element matches best; needed with a kernel.
        kernel: as for `read.read`.
        interpret: whether the kernel is interpreted, on any platform, which is for tests.

    Returns:
        [Q, S] in the dtype of `key`: the softmax over the chosen elements, 0 for all others.
    """
    queries, columns = query.shape[0], key.shape[0]
    padded = _padded(columns)
    rows = _rows(queries, padded)
    blocks, parts = padded // COLUMNS, -(-queries // rows)
    squares = jnp.zeros(columns, jnp.float32)
    if metric == "l2":
        squares = jnp.sum(jnp.square(key.astype(jnp.float32)), -1)
    # A row for each term of the logits that belongs to an element; infinite if it is not there.
    terms = [jnp.where(filled, squares, jnp.inf)]
    arrays = [jnp.pad(query, ((0, parts * rows - queries), (0, 0)))]
    if kernel is not None:
        assert best is not None
        terms += [best // kernel.width, best % kernel.width]
        places = np.divmod(np.arange(parts * rows), kernel.width)
        arrays.append(jnp.asarray(np.stack(places, 1), jnp.float32))
    table = jnp.stack([term.astype(jnp.float32) for term in terms])
    table = jnp.pad(table, ((0, 0), (0, padded - columns)), constant_values=jnp.inf)
    memory = [jnp.pad(key.T, ((0, 0), (0, padded - columns))), table]

    # Keys pass by in the first half of the blocks, and weights are written in the second half.
    of_queries = [pl.BlockSpec((rows, x.shape[1]), lambda part, block: (part, 0)) for x in arrays]
    of_memory = [
        pl.BlockSpec((len(x), COLUMNS), lambda part, block: (0, jnp.minimum(block, blocks - 1)))
        for x in memory
    ]
    cost = pl.CostEstimate(
        flops=2 * parts * rows * padded * query.shape[1],
        transcendentals=2 * parts * rows * padded,
        bytes_accessed=sum(x.size * x.dtype.itemsize for x in arrays)
        + parts * sum(x.size * x.dtype.itemsize for x in memory)
        + queries * columns * key.dtype.itemsize,
    )
    weights: jax.Array = pl.pallas_call(
        functools.partial(
            _kernel,
            k=k,
            blocks=blocks,
            metric=metric,
            sigma=None if kernel is None else kernel.sigma,
        ),
        grid=(parts, 2 * blocks),
        in_specs=[*of_queries, *of_memory],
        out_specs=pl.BlockSpec(
            (rows, COLUMNS), lambda part, block: (part, jnp.maximum(block - blocks, 0))
        ),
        out_shape=jax.ShapeDtypeStruct((queries, columns), key.dtype),
        scratch_shapes=[
            pltpu.VMEM((rows, padded), jnp.int32),
            pltpu.VMEM((rows, COLUMNS), jnp.int32),
            pltpu.VMEM((rows, LANES), jnp.int32),
            pltpu.VMEM((rows, LANES), jnp.float32),
        ],
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel", "arbitrary")),
        cost_estimate=cost,
        interpret=interpret,
        name="top_weights",
    )(*arrays, *memory)
    return weights


def _padded(columns: int) -> int:
    return -(-columns // COLUMNS) * COLUMNS


def _rows(queries: int, padded: int) -> int:
    """Returns the number of queries of a block."""
    most = min(ON_CHIP // (4 * padded) // ROWS * ROWS, MOST)
    return min(most, -(-queries // ROWS) * ROWS)


def _ordered(logits: jax.Array) -> jax.Array:
    """Returns int32 in the order of the float32."""
    bits = jax.lax.bitcast_convert_type(logits, jnp.int32)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _logits(ordered: jax.Array) -> jax.Array:
    """Inverts `_ordered`."""
    return jax.lax.bitcast_convert_type(ordered ^ ((ordered >> 31) & 0x7FFFFFFF), jnp.float32)


def _kernel(
    query: Any,
    *refs: Any,
    k: int,
    blocks: int,
    metric: str,
    sigma: float | None,
) -> None:
    """Takes a block of keys [C, COLUMNS] in, or writes a block of weights [rows, COLUMNS].

    Chosen are the elements above the bound of their query, and those equal to it up to the last
    column: `limits` has both. `softmax` has the largest logit and the sum of the exponentials.
    """
    *places, keys, table, weights, ordered, maxima, limits, softmax = refs
    block = pl.program_id(1)

    def columns_of(block: Any) -> Any:
        return pl.ds(pl.multiple_of(block * COLUMNS, COLUMNS), COLUMNS)

    def numbers(block: Any) -> jax.Array:
        inside = jax.lax.broadcasted_iota(jnp.int32, (ordered.shape[0], COLUMNS), 1)
        columns: jax.Array = inside + block * COLUMNS
        return columns

    def chosen(own: jax.Array, block: Any) -> jax.Array:
        bound, last = limits[:, :1], limits[:, 1:2]
        these: jax.Array = (own > bound) | ((own == bound) & (numbers(block) <= last))
        return these

    def folded(add: Callable[[Any, jax.Array], jax.Array]) -> jax.Array:
        """Adds what each block adds to the sums [rows, COLUMNS], and sums these: [rows, 1]."""
        start = jnp.zeros((ordered.shape[0], COLUMNS), jnp.float32)
        return jnp.sum(jax.lax.fori_loop(0, blocks, add, start), 1, keepdims=True)

    def counted(of_block: Callable[[jax.Array, Any], jax.Array]) -> jax.Array:
        """Counts the elements of which a function of blocks and their numbers is true."""

        def add(block: Any, sums: jax.Array) -> jax.Array:
            return sums + jnp.where(of_block(ordered[:, columns_of(block)], block), 1.0, 0.0)

        return folded(add)

    @pl.when(block < blocks)
    def _compute() -> None:
        dots = jnp.dot(query[...], keys[...], preferred_element_type=jnp.float32)
        squares = table[:1]
        if metric == "l2":
            dots = 2 * dots - squares
        logits = dots * (1 / math.sqrt(query.shape[1]))
        if sigma is not None:
            across, along = (places[0][:, i : i + 1] - table[i + 1 : i + 2] for i in range(2))
            logits += (across * across + along * along) * (-0.5 / sigma**2)
        own = _ordered(jnp.where(squares < jnp.inf, logits, EMPTY_LOGIT))
        ordered[:, columns_of(block)] = own
        maxima[...] = jnp.where(block == 0, own, jnp.maximum(own, maxima[...]))

    @pl.when(block == blocks - 1)
    def _choose() -> None:
        peak = jnp.max(_logits(maxima[...]), 1, keepdims=True)
        least = _ordered(jnp.full_like(peak, EMPTY_LOGIT / 2))  # above what is not there
        high = jnp.maximum(_ordered(peak), least)

        def maxima_reaching(bound: jax.Array) -> jax.Array:
            return jnp.sum(jnp.where(maxima[...] >= bound, 1.0, 0.0), 1, keepdims=True)

        def reaching(bound: jax.Array) -> jax.Array:
            return counted(lambda own, block: own >= bound)

        bound = _bound(reaching, k, _bound(maxima_reaching, k, least, high), high)
        above = counted(lambda own, block: own > bound)

        def equal(last: jax.Array) -> jax.Array:
            return counted(lambda own, block: (own == bound) & (numbers(block) <= last))

        every = jnp.full_like(bound, blocks * COLUMNS)
        last = _last(equal, k - above, jnp.where(reaching(bound) > k, 0, every), every)
        limits[:, :1], limits[:, 1:2] = bound, last

        def add(block: Any, mass: jax.Array) -> jax.Array:
            own = ordered[:, columns_of(block)]
            return mass + jnp.where(chosen(own, block), jnp.exp(_logits(own) - peak), 0)

        mass = folded(add)
        softmax[:, :1], softmax[:, 1:2] = peak, jnp.maximum(mass, 1e-30)

    @pl.when(block >= blocks)
    def _write() -> None:
        own = ordered[:, columns_of(block - blocks)]
        exponentials = jnp.exp(_logits(own) - softmax[:, :1])
        own_weights = jnp.where(chosen(own, block - blocks), exponentials / softmax[:, 1:2], 0)
        weights[...] = own_weights.astype(weights.dtype)


def _bound(
    reaching: Callable[[jax.Array], jax.Array], k: int, low: jax.Array, high: jax.Array
) -> jax.Array:
    """Finds a bound that just k elements reach, else the largest that more do, else `low`."""

    def step(range: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = range
        middle = (low | high) - ((low ^ high) >> 1)  # their mean, rounded up, without an overflow
        count = reaching(middle)
        return (
            jnp.where(count >= k, middle, low),
            jnp.where(count > k, high, jnp.where(count == k, middle, middle - 1)),
        )

    return jax.lax.while_loop(_apart, step, (low, high))[0]


def _last(
    equal: Callable[[jax.Array], jax.Array], count: jax.Array, low: jax.Array, high: jax.Array
) -> jax.Array:
    """Finds the first column up to which there are `count` equal elements."""

    def step(range: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = range
        middle = (low + high) >> 1
        enough = equal(middle) >= count
        return jnp.where(enough, low, middle + 1), jnp.where(enough, middle, high)

    return jax.lax.while_loop(_apart, step, (low, high))[0]


def _apart(range: tuple[jax.Array, jax.Array]) -> jax.Array:
    low, high = range
    return jnp.max(jnp.where(low < high, 1.0, 0.0)) > 0
