"""The masked memory read that all networks share: softmax attention over the filled slots.

Without top-k the slots are folded in one after the other (an online softmax), empty ones are
skipped and no more than one slot's logits exist at a time, on CPUs of one head; the derivative
recomputes them. With top-k, queries go in chunks and the k largest logits are found exactly
through block maxima; what is found is then read out of the memory by gathering rows, or, on
platforms that are slow at that, by one matrix product.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

BLOCK = 16  # columns a block of the top-k search
CHUNK = 2**23  # logits that exist at a time in the top-k search
TOGETHER = 2**20  # logits of all heads up to which CPUs, too, treat heads at once
FLOOR = -1e30  # logits of empty slots; finite, so that differences of two of them are


class Kernel(NamedTuple):
    """A Gaussian around every memory element's best query (KMN, Seong et al. 2020).

    sigma   its deviation in cells of the stride-16 grid
    width   the grid's columns; queries are numbered row by row
    """

    sigma: float
    width: int


def read(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    *,
    top_k: int | None = None,
    metric: str = "dot",
    kernel: Kernel | None = None,
) -> jax.Array:
    """Reads a memory of M frames at Q places.

    | array | shape | |
    |---|---|---|
    | query | [Q, heads or 1, C] | |
    | key   | [M, P, heads or 1, C] | |
    | value | [M, P, heads, D] | |
    | valid | [M] or [M, heads] bool | slots that hold a frame, of all heads or of each |
    | result | [Q, heads, D] | zeros where no slot is valid |

    Heads are whatever reads apart: attention heads, or objects. Where neither queries nor keys
    have heads, all heads share one affinity; where they also share the valid slots, one softmax.

    Args:
      query: see the table.
      key: see the table.
      value: see the table.
      valid: see the table.
      top_k: keep only the k largest logits of each query and head, the earliest of equal ones as
        `lax.top_k`; None keeps all (Cheng et al., CVPR 2021, "MiVOS").
      metric: 'dot', q.k / sqrt(C), or 'l2', (2 q.k - |k|^2) / sqrt(C): the negative squared
        distance up to a term that the softmax cancels (STCN, Cheng et al. 2021).
      kernel: weighs the exponentials before the largest are chosen; None leaves them. Test time
        only, as in KMN.
    """
    options = dict(top_k=top_k, metric=metric, kernel=kernel)
    if max(query.shape[1], key.shape[2]) > 1 or value.shape[2] == 1:
        valid = jnp.broadcast_to(
            valid if valid.ndim == 2 else valid[:, None], (valid.shape[0], value.shape[2])
        )
        return _read(query, key, value, valid, **options)
    if valid.ndim == 1:
        return _read(query, key, value, valid[:, None], **options)
    return jax.lax.cond(
        jnp.all(valid == valid[:, :1]),
        lambda: _read(query, key, value, valid[:, :1], **options),
        lambda: _read(query, key, value, valid, **options),
    )


def _read(query, key, value, valid, *, top_k, metric, kernel):
    """`read` with as many softmaxes as valid [M, 1 or heads] has columns."""
    best = None if kernel is None else _best_queries(query, key, metric)
    if top_k is None:
        return _read_all(query, key, value, valid, metric, kernel, best)
    return _read_top(query, key, value, valid, top_k, metric, kernel, best)


def affinity(query: jax.Array, key: jax.Array, metric: str) -> jax.Array:
    """Logits [heads, Q, S] of queries [Q, heads, C] and keys [S, heads, C], in float32.

    Either may have one head for all.
    """
    heads = max(query.shape[1], key.shape[1])
    query = jnp.broadcast_to(query, (query.shape[0], heads, query.shape[2]))
    key = jnp.broadcast_to(key, (key.shape[0], heads, key.shape[2]))
    scale = 1 / math.sqrt(query.shape[-1])
    dots = jnp.einsum("qhc,shc->hqs", query, key, preferred_element_type=jnp.float32)
    if metric == "dot":
        return dots * scale
    return (2 * dots - _squares(key).T[:, None]) * scale


def _squares(x):
    return jnp.sum(jnp.square(x.astype(jnp.float32)), -1)


def _best_queries(query, key, metric):
    """[M, heads, P] int32: the query that every memory element is likest to."""
    own = 0 if metric == "dot" else _squares(query).T[..., None] / math.sqrt(query.shape[-1])
    return jax.lax.map(lambda key: jnp.argmax(affinity(query, key, metric) - own, 1), key)


def _log_kernel(places, best, kernel):
    """Log weights [..., Q, S] of places [Q], numbers of queries, and best queries [..., S]."""
    rows = places[:, None] // kernel.width - (best // kernel.width)[..., None, :]
    cols = places[:, None] % kernel.width - (best % kernel.width)[..., None, :]
    return (rows**2 + cols**2) * (-0.5 / kernel.sigma**2)


def _read_all(query, key, value, valid, metric, kernel, best):
    softmaxes = valid.shape[1]
    frames, places = key.shape[:2]

    def apart(x):  # its heads, as many as there are softmaxes
        return jnp.broadcast_to(x, (*x.shape[:-2], softmaxes, x.shape[-1]))

    query = apart(query).swapaxes(0, 1)
    key = apart(key).transpose(2, 0, 3, 1)  # columns last: the product that CPUs are fast at
    rows = value.reshape(frames, places, -1)
    if kernel is None:
        result = _exact(query, key, rows, valid.T, metric)
    else:
        best = jnp.broadcast_to(best.swapaxes(0, 1), (softmaxes, frames, places))
        result, _ = _fold(query, key, rows, valid.T, metric, kernel, best)
    return result.swapaxes(0, 1).reshape(query.shape[1], *value.shape[2:]).astype(value.dtype)


def _each(function, arrays, value):
    """`function` of every softmax's (query, key, ...) and of its rows: a function slot -> [P, D].

    CPUs take one softmax after the other where there is much to do, so that the logits stay in
    their caches, and never lay `value` [M, P, S * D] out anew: it may be larger than all else.
    """
    query, key = arrays[:2]
    softmaxes = query.shape[0]
    frames, places, depth = value.shape[0], value.shape[1], value.shape[2] // softmaxes

    def in_turn(arrays, value):
        def one(item):
            index, own = item

            def rows(slot):
                start = (slot, 0, index * depth)
                return jax.lax.dynamic_slice(value, start, (1, places, depth))[0]

            return function(own, rows)

        return jax.lax.map(one, (jnp.arange(softmaxes), arrays))

    def together(arrays, value):
        value = value.reshape(frames, places, softmaxes, depth)
        return jax.vmap(lambda own, value: function(own, lambda slot: value[slot]), (0, 2))(
            arrays, value
        )

    if softmaxes * query.shape[1] * key.shape[-1] <= TOGETHER:
        return together(arrays, value)
    return jax.lax.platform_dependent(arrays, value, cpu=in_turn, default=together)


def _logits(query, key, metric):
    """Logits [Q, P] of queries [Q, C] and keys [C, P], in float32."""
    scale = 1 / math.sqrt(query.shape[-1])
    dots = jnp.matmul(query * scale, key, preferred_element_type=jnp.float32)
    if metric == "dot":
        return dots
    return 2 * dots - scale * jnp.sum(jnp.square(key.astype(jnp.float32)), 0)


def _fold(query, key, value, valid, metric, kernel=None, best=None):
    """Softmaxes over the slots, one slot after the other.

    Args:
      query: [S, Q, C], S softmaxes.
      key: [S, M, C, P].
      value: [M, P, S * D].
      valid: [S, M].
      metric: as for `read`.
      kernel: as for `read`.
      best: [S, M, P], with a kernel.

    Returns:
      The means [S, Q, D], and the logs of the denominators [S, Q].
    """
    filled = jnp.any(valid, 0)  # of all softmaxes together: a branch, also where they are batched
    depth = value.shape[2] // query.shape[0]

    def one(arrays, rows):
        query, key, valid, best = arrays

        def attend(carry, slot):
            number, key, valid, best = slot
            top, mass, total = carry
            logits = _logits(query, key, metric)
            if kernel is not None:
                logits = logits + _log_kernel(jnp.arange(query.shape[0]), best, kernel)
            # An infinite maximum takes another softmax's slot its weight, without masking logits.
            new_top = jnp.where(valid, jnp.maximum(top, logits.max(-1)), top)
            weights = jnp.exp(logits - jnp.where(valid, new_top, jnp.inf)[:, None])
            fade = jnp.exp(top - new_top)
            part = jnp.matmul(
                weights.astype(value.dtype), rows(number), preferred_element_type=jnp.float32
            )
            return new_top, mass * fade + weights.sum(-1), total * fade[:, None] + part

        def fold(carry, slot):
            filled, *slot = slot
            return jax.lax.cond(filled, attend, lambda carry, slot: carry, carry, slot), None

        places = query.shape[0]
        start = (
            jnp.full(places, FLOOR, jnp.float32),
            jnp.zeros(places, jnp.float32),
            jnp.zeros((places, depth), jnp.float32),
        )
        slots = (filled, jnp.arange(filled.size), key, valid, best)
        (top, mass, total), _ = jax.lax.scan(fold, start, slots)
        mass = jnp.where(mass > 0, mass, 1)
        return total / mass[:, None], top + jnp.log(mass)

    return _each(one, (query, key, valid, best), value)


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _exact(query, key, value, valid, metric):
    """The means of `_fold`, whose derivative recomputes the weights in place of keeping them."""
    return _fold(query, key, value, valid, metric)[0]


def _exact_forward(query, key, value, valid, metric):
    means, level = _fold(query, key, value, valid, metric)
    return means, (query, key, value, valid, means, level)


def _exact_backward(metric, saved, change):
    query, key, value, valid, means, level = saved
    filled = jnp.any(valid, 0)

    def one(arrays, rows):
        query, key, valid, means, level, change = arrays
        own = jnp.sum(change * means, -1, keepdims=True)

        def slot(total, slot):
            filled, number, key, valid = slot

            def attend():
                logits, pull = jax.vjp(lambda q, k: _logits(q, k, metric), query, key)
                weights = jnp.exp(logits - jnp.where(valid, level, jnp.inf)[:, None])
                to_query, to_key = pull(weights * (change @ rows(number).T - own))
                return total + to_query, to_key, (weights.T @ change).astype(value.dtype)

            def skip():
                return (
                    total,
                    jnp.zeros_like(key),
                    jnp.zeros((key.shape[1], change.shape[1]), value.dtype),
                )

            total, *found = jax.lax.cond(filled, attend, skip)
            return total, found

        slots = (filled, jnp.arange(filled.size), key, valid)
        total, (to_key, to_value) = jax.lax.scan(slot, jnp.zeros_like(query), slots)
        return total, to_key, to_value

    to_query, to_key, to_value = _each(one, (query, key, valid, means, level, change), value)
    return to_query, to_key, to_value.transpose(1, 2, 0, 3).reshape(value.shape), None


_exact.defvjp(_exact_forward, _exact_backward)


def top_columns(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """The k largest of every row and their columns, exactly as `lax.top_k` gives them.

    The k largest lie in the k blocks with the largest maxima. Blocks are consecutive columns, so
    that of equal scores the earliest are kept, but stored apart, so that the maxima are a
    reduction over the middle axis.

    Args:
      scores: [..., BLOCK, blocks]; column c * BLOCK + j stands at [j, c].
      k: at most BLOCK * blocks.

    Returns:
      (scores, columns), both [..., k], the columns int32.
    """
    lead, blocks = scores.shape[:-2], scores.shape[-1]
    _, best = jax.lax.top_k(scores.max(-2), min(k, blocks))
    best = jnp.sort(best)[..., None]
    inside = jnp.arange(BLOCK, dtype=best.dtype)
    stored = (inside * blocks + best).reshape(*lead, -1)
    candidates = jnp.take_along_axis(scores.reshape(*lead, -1), stored, -1)
    found, at = jax.lax.top_k(candidates, k)
    return found, jnp.take_along_axis((best * BLOCK + inside).reshape(*lead, -1), at, -1)


def _stored(x, axis, fill=0):
    """Pads an axis of S columns to whole blocks and lays it out as `top_columns` stores it."""
    blocks = -(-x.shape[axis] // BLOCK)
    x = jnp.pad(
        x,
        [(0, blocks * BLOCK - n if i == axis else 0) for i, n in enumerate(x.shape)],
        constant_values=fill,
    )
    shape = x.shape
    x = x.reshape(*shape[:axis], blocks, BLOCK, *shape[axis + 1 :])
    return jnp.swapaxes(x, axis, axis + 1).reshape(shape)


def read_out(
    weights: jax.Array, columns: jax.Array, rows: jax.Array, head=0, *, heads: int = 1
) -> jax.Array:
    """Sums rows: weights and columns [Q, k], rows [S * heads, D] -> [Q, D].

    The row of column s and `head` is number s * heads + head. Gathers k rows a query, one after
    the other; on TPUs, where gathers are slow and matrix products are not, the weights are spread
    over all rows first (`dense`).
    """
    return jax.lax.platform_dependent(
        weights,
        columns,
        rows,
        jnp.asarray(head),
        tpu=functools.partial(dense, heads=heads),
        default=functools.partial(gather, heads=heads),
    )


def gather(weights, columns, rows, head, *, heads: int) -> jax.Array:
    """`read_out` row by row."""

    def add(j, total):
        found = rows.at[columns[:, j] * heads + head].get(mode="promise_in_bounds")
        return total + weights[:, j, None] * found

    start = jnp.zeros((weights.shape[0], rows.shape[1]), jnp.float32)
    return jax.lax.fori_loop(0, weights.shape[1], add, start)


def dense(weights, columns, rows, head, *, heads: int) -> jax.Array:
    """`read_out` as a matrix product."""
    rows = rows.reshape(-1, heads, rows.shape[1])
    rows = jax.lax.dynamic_index_in_dim(rows, head, 1, keepdims=False)
    places = jnp.arange(weights.shape[0])[:, None]
    spread = jnp.zeros((weights.shape[0], rows.shape[0]), weights.dtype)
    spread = spread.at[places, columns].add(weights)
    return jnp.einsum(
        "qs,sd->qd", spread.astype(rows.dtype), rows, preferred_element_type=jnp.float32
    )


def _read_top(query, key, value, valid, top_k, metric, kernel, best):
    places, softmaxes = query.shape[0], valid.shape[1]
    frames, size = key.shape[:2]
    columns = frames * size
    k = min(top_k, columns)
    # Two axes only, and no axis of one element: others make XLA copy the memory into the loops.
    rows = value.reshape(columns * softmaxes, -1)
    filled = _stored(jnp.repeat(valid.T, size, axis=1), 1, fill=False)
    if kernel is not None:
        best = _stored(best.swapaxes(0, 1).reshape(-1, columns), 1)
    count = -(-places * filled.shape[1] // CHUNK)
    chunk = -(-places // count)
    numbers = jnp.arange(count * chunk).reshape(count, chunk)
    queries = jnp.pad(query, ((0, count * chunk - places), (0, 0), (0, 0)))
    queries = queries.reshape(count, chunk, *query.shape[1:])
    heads = jnp.arange(softmaxes)

    def of_head(x, head, axis):
        """Its own part, or that of all heads; the axis stays."""
        return jax.lax.dynamic_slice_in_dim(x, head if x.shape[axis] > 1 else 0, 1, axis)

    def laid(head):
        """Keys [S, 1, C]: those of one head at a time, as they may be larger than all else."""
        return _stored(of_head(key, head, 2).reshape(columns, 1, -1), 0)

    def scores(part, number, keys, head):
        """Logits [chunk, S]."""
        logits = affinity(of_head(part, head, 1), keys, metric)[0]
        return (
            logits
            if kernel is None
            else logits + _log_kernel(number, of_head(best, head, 0)[0], kernel)
        )

    def attend(logits, head):
        """What is read, [chunk, D]."""
        logits = jnp.where(filled[head], logits, FLOOR)
        found, at = top_columns(logits.reshape(chunk, BLOCK, -1), k)
        weights = jnp.where(found > FLOOR / 2, jnp.exp(found - found[:, :1]), 0)
        weights = weights / jnp.maximum(weights.sum(-1, keepdims=True), 1e-30)
        return read_out(weights, jnp.minimum(at, columns - 1), rows, head, heads=softmaxes)

    if max(query.shape[1], key.shape[2]) == 1:
        keys = laid(0)

        def one_affinity(chunk):
            logits = scores(*chunk, keys, 0)
            return jax.lax.map(lambda head: attend(logits, head), heads)

        parts = jax.lax.map(one_affinity, (queries, numbers)).swapaxes(0, 1)
    else:

        def one_head(head):
            keys = laid(head)
            return jax.lax.map(
                lambda chunk: attend(scores(*chunk, keys, head), head), (queries, numbers)
            )

        parts = jax.lax.map(one_head, heads)
    parts = parts.reshape(softmaxes, count * chunk, -1)[:, :places]
    return parts.swapaxes(0, 1).reshape(places, *value.shape[2:]).astype(value.dtype)
