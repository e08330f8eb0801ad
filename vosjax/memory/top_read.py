"""The read of the k memory elements that each query matches best.

Queries are processed in chunks: the k largest logits of each query are searched for (`top_k`), and
the values that belong to them are summed, by gathering rows or, on platforms with slow gathers, by
one matrix product. On one TPU a kernel makes the weights of that product without writing logits
(`top_kernel`).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from vosjax.memory.affinity import EMPTY_LOGIT, Kernel, affinity, log_kernel
from vosjax.memory.kernels import on_one_tpu
from vosjax.memory.top_k import BLOCK, block_columns, in_blocks, top_columns

CHUNK = 2**23  # most logits in memory at a time during the search


def top_read(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    *,
    top_k: int,
    metric: str = "dot",
    kernel: Kernel | None = None,
    best: jax.Array | None = None,
) -> jax.Array:
    """Reads the k best memory elements, with as many softmaxes as `valid` has columns.

        result = top_read(query, key, value, valid[:, None], top_k=20)      # one for all heads

    Args:
        query: [Q, softmaxes or 1, C].
        key: [M, P, softmaxes or 1, C].
        value: [M, P, heads, D].
        valid: [M, softmaxes] bool; softmaxes is 1 or the number of heads.
        top_k: as for `read.read`.
        metric: as for `affinity.affinity`.
        kernel: added to the logits before the best are chosen, or None.
        best: the result of `affinity.best_queries`; needed with a kernel.

    Returns:
        [Q, heads, D] in the dtype of `value`; zeros if no slot is valid.
    """
    form: dict[str, Any] = dict(top_k=top_k, metric=metric, kernel=kernel)
    arrays = (query, key, value, valid) if best is None else (query, key, value, valid, best)
    result: jax.Array = on_one_tpu(
        functools.partial(dense_read, **form), functools.partial(sparse_read, **form), *arrays
    )
    return result


def dense_read(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    best: jax.Array | None = None,
    *,
    top_k: int,
    metric: str,
    kernel: Kernel | None,
    interpret: bool = False,
) -> jax.Array:
    """Computes `top_read` by the weights of all elements, from the kernel for one TPU.

    More elements than that can hold are read by `sparse_read`.
    """
    from vosjax.memory.top_kernel import fits, top_weights  # imports Pallas, which TPUs alone need

    frames, positions = key.shape[:2]
    columns, softmaxes = frames * positions, valid.shape[1]
    if not fits(columns):
        return sparse_read(
            query, key, value, valid, best, top_k=top_k, metric=metric, kernel=kernel
        )
    keys, rows = key.reshape(columns, *key.shape[2:]), value.reshape(columns, -1)
    filled = jnp.repeat(valid, positions, axis=0)

    def one(head: ArrayLike) -> jax.Array:
        weights = top_weights(
            _of_head(query, head, 1)[:, 0],
            _of_head(keys, head, 1)[:, 0],
            _of_head(filled, head, 1)[:, 0],
            min(top_k, columns),
            metric=metric,
            best=None if best is None else _of_head(best, head, 1).reshape(-1),
            kernel=kernel,
            interpret=interpret,
        )
        depth = rows.shape[1] // softmaxes
        own = jax.lax.dynamic_slice_in_dim(rows, head * depth, depth, 1)
        return jnp.einsum("qs,sd->qd", weights, own, preferred_element_type=jnp.float32)

    parts = one(0)[None] if softmaxes == 1 else jax.lax.map(one, jnp.arange(softmaxes))
    result = parts.swapaxes(0, 1).reshape(query.shape[0], *value.shape[2:])
    return result.astype(value.dtype)


def sparse_read(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    best: jax.Array | None = None,
    *,
    top_k: int,
    metric: str,
    kernel: Kernel | None,
) -> jax.Array:
    """Computes `top_read` by searching; elements are numbered as columns, frame by frame."""
    queries, softmaxes = query.shape[0], valid.shape[1]
    frames, positions = key.shape[:2]
    columns = frames * positions
    k = min(top_k, columns)
    # Two axes only, and none of length one: otherwise XLA copies the memory in every iteration.
    rows = value.reshape(columns * softmaxes, -1)
    filled = in_blocks(jnp.repeat(valid.T, positions, axis=1), 1, fill=False)
    if best is not None:
        best = in_blocks(best.swapaxes(0, 1).reshape(-1, columns), 1)
    count = -(-queries * filled.shape[1] // CHUNK)
    length = -(-queries // count)
    numbers = jnp.arange(count * length).reshape(count, length)
    chunks = jnp.pad(query, ((0, count * length - queries), (0, 0), (0, 0)))
    chunks = chunks.reshape(count, length, *query.shape[1:])
    heads = jnp.arange(softmaxes)

    def keys_of(head: ArrayLike) -> jax.Array:
        """Returns one head's keys [S, 1, C] in blocks; those of all heads might not fit."""
        return in_blocks(_of_head(key, head, 2).reshape(columns, 1, -1), 0)

    def logits_of(
        chunk: jax.Array, numbers: jax.Array, keys: jax.Array, head: ArrayLike
    ) -> jax.Array:
        """Returns the logits [length, S] of a chunk of queries and their numbers."""
        logits = affinity(_of_head(chunk, head, 1), keys, metric)[0]
        if kernel is None or best is None:
            return logits
        return logits + log_kernel(numbers, _of_head(best, head, 0)[0], kernel)

    def attend(logits: jax.Array, head: jax.Array) -> jax.Array:
        """Reads a head's values with these logits: [length, D]."""
        logits = jnp.where(filled[head], logits, EMPTY_LOGIT)
        largest, column = top_columns(logits.reshape(length, BLOCK, -1), k)
        return read_out(logits, largest, column, rows, head, heads=softmaxes)

    if max(query.shape[1], key.shape[2]) == 1:
        keys = keys_of(0)

        def all_heads(chunk: tuple[jax.Array, jax.Array]) -> jax.Array:
            logits = logits_of(*chunk, keys, 0)
            parts: jax.Array = jax.lax.map(lambda head: attend(logits, head), heads)
            return parts

        parts = jax.lax.map(all_heads, (chunks, numbers)).swapaxes(0, 1)
    else:

        def one_head(head: jax.Array) -> jax.Array:
            keys = keys_of(head)
            parts: jax.Array = jax.lax.map(
                lambda chunk: attend(logits_of(chunk[0], chunk[1], keys, head), head),
                (chunks, numbers),
            )
            return parts

        parts = jax.lax.map(one_head, heads)
    result: jax.Array = parts.reshape(softmaxes, count * length, -1)[:, :queries]
    return result.swapaxes(0, 1).reshape(queries, *value.shape[2:]).astype(value.dtype)


def _of_head(x: jax.Array, head: ArrayLike, axis: int) -> jax.Array:
    """Returns a head's part of x, or all of x if heads share it; the axis is kept."""
    return jax.lax.dynamic_slice_in_dim(x, head if x.shape[axis] > 1 else 0, 1, axis)


def read_out(
    logits: jax.Array,
    largest: jax.Array,
    columns: jax.Array,
    rows: jax.Array,
    head: ArrayLike = 0,
    *,
    heads: int = 1,
) -> jax.Array:
    """Computes the means of the rows that the largest logits choose, weighted by their softmax.

        largest, columns = top_columns(logits.reshape(len(logits), BLOCK, -1), k)
        readout = read_out(logits, largest, columns, value.reshape(-1, D))      # [Q, D]

    It gathers k rows per query, one after the other (`gather`). On TPUs, where gathers are slow, it
    is one matrix product with the weights of all rows, most of them zero (`dense`).

    Args:
        logits: [Q, S'], in the order of `in_blocks`; EMPTY_LOGIT where there is nothing.
        largest: [Q, k], the largest first.
        columns: [Q, k] int32, the memory elements that have them.
        rows: [S * heads, D]; element s of a head is in row s * heads + head.
        head: the head whose rows are summed.
        heads: number of heads.

    Returns:
        [Q, D] float32.
    """
    sums: jax.Array = jax.lax.platform_dependent(
        logits,
        largest,
        columns,
        rows,
        jnp.asarray(head),
        tpu=functools.partial(dense, heads=heads),
        default=functools.partial(gather, heads=heads),
    )
    return sums


def gather(
    logits: jax.Array,
    largest: jax.Array,
    columns: jax.Array,
    rows: jax.Array,
    head: jax.Array,
    *,
    heads: int,
) -> jax.Array:
    """Computes `read_out` row by row, with the same arguments and result."""
    weights = jnp.where(largest > EMPTY_LOGIT / 2, jnp.exp(largest - largest[:, :1]), 0)
    weights = weights / jnp.maximum(weights.sum(-1, keepdims=True), 1e-30)
    columns = jnp.minimum(columns, len(rows) // heads - 1)

    def add(j: jax.Array, total: jax.Array) -> jax.Array:
        row = rows.at[columns[:, j] * heads + head].get(mode="promise_in_bounds")
        return total + weights[:, j, None] * row

    start = jnp.zeros((weights.shape[0], rows.shape[1]), jnp.float32)
    sums: jax.Array = jax.lax.fori_loop(0, weights.shape[1], add, start)
    return sums


def dense(
    logits: jax.Array,
    largest: jax.Array,
    columns: jax.Array,
    rows: jax.Array,
    head: jax.Array,
    *,
    heads: int,
) -> jax.Array:
    """Computes `read_out` as a matrix product, with the same arguments and result.

    A row is chosen if its logit is larger than the least of the k, or equal to it and not later
    than the last of those that `top_columns` has kept. So the choice is exact among equal logits.
    """
    least = largest[:, -1:]
    last = jnp.where(largest == least, columns, -1).max(-1, keepdims=True)
    column = block_columns(logits.shape[1])
    chosen = (logits > least) | ((logits == least) & (column <= last))
    chosen &= logits > EMPTY_LOGIT / 2
    exponentials = jnp.where(largest > EMPTY_LOGIT / 2, jnp.exp(largest - largest[:, :1]), 0)
    total = jnp.maximum(exponentials.sum(-1, keepdims=True), 1e-30)
    weights = jnp.where(chosen, jnp.exp(logits - largest[:, :1]), 0) / total
    depth = rows.shape[1]
    # Of all heads, as this does not depend on the head or the queries: it is moved out of loops.
    stored = in_blocks(rows.reshape(-1, heads * depth), 0)
    own = jax.lax.dynamic_slice_in_dim(stored, head * depth, depth, 1)
    return jnp.einsum(
        "qs,sd->qd", weights.astype(rows.dtype), own, preferred_element_type=jnp.float32
    )
