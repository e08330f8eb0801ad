"""The masked memory read that all networks share: softmax attention over the filled slots.

Without top-k the slots are folded in one after the other (an online softmax), empty ones are
skipped and no more than one slot's logits exist at a time. With top-k, queries go in chunks and
the k largest logits are found exactly through block maxima.
"""

import math

import jax
import jax.numpy as jnp

QUERY_CHUNKS = 6
BLOCK = 16  # columns a block of the top-k search
FLOOR = -1e30  # of running maxima; finite, so that differences of two of them are


def read(query: jax.Array, key: jax.Array, value: jax.Array, valid: jax.Array, *,
         top_k: int | None = None, metric: str = "dot") -> jax.Array:
    """Reads a memory of M frames at Q places.

    | array | shape | |
    |---|---|---|
    | query | [Q, heads, C] | |
    | key   | [M, P, heads, C] | |
    | value | [M, P, heads, D] | |
    | valid | [M] bool | slots that hold a frame |
    | result | [Q, heads, D] | zeros where no slot is valid |

    Args:
      query: see the table.
      key: see the table.
      value: see the table.
      valid: see the table.
      top_k: keep only the k largest logits of each query and head; None keeps all.
      metric: 'dot', q.k / sqrt(C), or 'l2', (2 q.k - |k|^2) / sqrt(C): the negative squared
        distance up to a term that the softmax cancels (STCN, Cheng et al. 2021).
    """
    if top_k is None:
        return _read_all(query, key, value, valid, metric)
    return _read_top(query, key, value, valid, top_k, metric)


def affinity(query: jax.Array, key: jax.Array, metric: str) -> jax.Array:
    """Logits [heads, Q, S] of queries [Q, heads, C] and keys [S, heads, C], in float32."""
    scale = 1 / math.sqrt(query.shape[-1])
    dots = jnp.einsum("qhc,shc->hqs", query, key, preferred_element_type=jnp.float32)
    if metric == "dot":
        return dots * scale
    norms = jnp.sum(jnp.square(key.astype(jnp.float32)), -1)  # [S, heads]
    return (2 * dots - norms.T[:, None]) * scale


def _read_all(query, key, value, valid, metric):
    places, heads, _ = query.shape
    depth = value.shape[-1]

    def fold(carry, slot):
        key, value, valid = slot

        def attend(carry):
            top, mass, total = carry
            logits = affinity(query, key, metric)
            new_top = jnp.maximum(top, logits.max(-1))
            weights = jnp.exp(logits - new_top[..., None])
            fade = jnp.exp(top - new_top)
            part = jnp.einsum("hqs,shd->hqd", weights.astype(value.dtype), value,
                              preferred_element_type=jnp.float32)
            return new_top, mass * fade + weights.sum(-1), total * fade[..., None] + part

        return jax.lax.cond(valid, attend, lambda carry: carry, carry), None

    start = (jnp.full((heads, places), FLOOR, jnp.float32), jnp.zeros((heads, places), jnp.float32),
             jnp.zeros((heads, places, depth), jnp.float32))
    (_, mass, total), _ = jax.lax.scan(fold, start, (key, value, valid))
    mean = total / jnp.where(mass > 0, mass, 1)[..., None]
    return mean.transpose(1, 0, 2).astype(value.dtype)


def top_columns(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """The k largest of each row of scores [..., S] and their columns, exactly, by block maxima.

    The k largest lie in the k blocks with the largest maxima; blocks are strided, so that the
    maxima are a reduction over the middle axis. Rows are padded by -inf.
    """
    columns = scores.shape[-1]
    blocks = -(-columns // BLOCK)
    padded = jnp.pad(scores, [(0, 0)] * (scores.ndim - 1) + [(0, blocks * BLOCK - columns)],
                     constant_values=-jnp.inf)
    maxima = padded.reshape(*scores.shape[:-1], BLOCK, blocks).max(-2)
    _, best = jax.lax.top_k(maxima, min(k, blocks))
    candidates = best[..., None] + jnp.arange(BLOCK) * blocks
    candidates = candidates.reshape(*scores.shape[:-1], -1)
    found, at = jax.lax.top_k(jnp.take_along_axis(padded, candidates, -1), k)
    return found, jnp.take_along_axis(candidates, at, -1)


def _read_top(query, key, value, valid, top_k, metric):
    places, heads, _ = query.shape
    frames, size = key.shape[:2]
    key, value = (x.reshape(frames * size, *x.shape[2:]) for x in (key, value))
    k = min(top_k, frames * size)
    filled = jnp.repeat(valid, size)
    chunk = -(-places // QUERY_CHUNKS)
    chunks = jnp.pad(query, ((0, chunk * QUERY_CHUNKS - places), (0, 0), (0, 0)))
    by_head = value.transpose(1, 0, 2)  # [heads, S, D]

    def attend(part):
        logits = jnp.where(filled, affinity(part, key, metric), -jnp.inf)
        found, columns = top_columns(logits, k)
        weights = jnp.where(jnp.isfinite(found), jnp.exp(found - found[..., :1]), 0)
        weights = jnp.where(jnp.isfinite(found[..., :1]), weights, 0)
        weights = weights / jnp.maximum(weights.sum(-1, keepdims=True), 1e-30)
        columns = jnp.minimum(columns, frames * size - 1)

        def add(j, total):
            rows = jax.vmap(lambda rows, at: rows[at])(by_head, columns[..., j])
            return total + weights[..., j, None] * rows

        start = jnp.zeros((heads, chunk, value.shape[-1]), jnp.float32)
        return jax.lax.fori_loop(0, k, add, start)

    parts = jax.lax.map(attend, chunks.reshape(QUERY_CHUNKS, chunk, heads, -1))
    result = parts.transpose(0, 2, 1, 3).reshape(QUERY_CHUNKS * chunk, heads, -1)
    return result[:places].astype(value.dtype)
