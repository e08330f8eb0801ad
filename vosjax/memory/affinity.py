"""Logits of a read, which say how well queries match memory elements; and KMN's kernel over them.

Letters in this package: M memory frames, P positions of a frame, S = M * P memory elements, Q
queries, C key channels, D value channels. Heads read independently of each other; they are
attention heads, or objects.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

EMPTY_LOGIT = -1e30  # logit of empty slots; finite, so that the difference of two is not NaN


class Kernel(NamedTuple):
    """A Gaussian around the best query of every memory element (KMN, Seong et al., ECCV 2020).

    sigma   its standard deviation, in cells of the stride-16 grid
    width   number of columns of the grid; queries are numbered row by row
    """

    sigma: float
    width: int


def affinity(query: jax.Array, key: jax.Array, metric: str) -> jax.Array:
    """Computes the logits of every query with every memory element.

        logits = affinity(query, key, "l2")      # [Q, 1, 64], [P, 1, 64] -> [1, Q, P]

    Args:
        query: [Q, heads or 1, C].
        key: [S, heads or 1, C].
        metric: 'dot', q.k / sqrt(C), or 'l2', (2 q.k - |k|^2) / sqrt(C).

    Returns:
        [heads, Q, S] float32.
    """
    heads = max(query.shape[1], key.shape[1])
    query = jnp.broadcast_to(query, (query.shape[0], heads, query.shape[2]))
    key = jnp.broadcast_to(key, (key.shape[0], heads, key.shape[2]))
    scale = 1 / math.sqrt(query.shape[-1])
    dots = jnp.einsum("qhc,shc->hqs", query, key, preferred_element_type=jnp.float32)
    if metric == "dot":
        return dots * scale
    return (2 * dots - _squares(key).T[:, None]) * scale


def frame_affinity(query: jax.Array, key: jax.Array, metric: str) -> jax.Array:
    """Computes `affinity` for one head and one frame, with keys in the fastest layout for CPUs.

        logits = frame_affinity(query, key, "dot")      # [Q, C], [C, P] -> [Q, P]

    Args:
        query: [Q, C].
        key: [C, P].
        metric: as for `affinity`.

    Returns:
        [Q, P] float32.
    """
    scale = 1 / math.sqrt(query.shape[-1])
    dots = jnp.matmul(query * scale, key, preferred_element_type=jnp.float32)
    if metric == "dot":
        return dots
    return 2 * dots - scale * jnp.sum(jnp.square(key.astype(jnp.float32)), 0)


def best_queries(query: jax.Array, key: jax.Array, metric: str) -> jax.Array:
    """Returns the query that each memory element matches best.

        best = best_queries(query, key, "dot")      # [Q, heads, C], [M, P, heads, C]

    Args:
        query: [Q, heads or 1, C].
        key: [M, P, heads or 1, C].
        metric: as for `affinity`.

    Returns:
        [M, heads, P] int32.
    """
    # `affinity` leaves out the square of the query, which cancels in a softmax over memory
    # elements; comparing queries needs it.
    own = 0 if metric == "dot" else _squares(query).T[..., None] / math.sqrt(query.shape[-1])

    def of_frame(key: jax.Array) -> jax.Array:
        return jnp.argmax(affinity(query, key, metric) - own, 1)

    best: jax.Array = jax.lax.map(of_frame, key)
    return best


def log_kernel(numbers: jax.Array, best: jax.Array, kernel: Kernel) -> jax.Array:
    """Returns the logarithm of the kernel, which is added to the logits.

        logits = logits + log_kernel(jnp.arange(len(query)), best, Kernel(sigma=7.0, width=54))

    Args:
        numbers: [Q] int32, the numbers of the queries in the grid.
        best: [..., S] int32, the query that each memory element matches best.
        kernel: its standard deviation, and the width of the grid.

    Returns:
        [..., Q, S] float32; 0 if the query is the element's best one, else negative.
    """
    rows = numbers[:, None] // kernel.width - (best // kernel.width)[..., None, :]
    cols = numbers[:, None] % kernel.width - (best % kernel.width)[..., None, :]
    return (rows**2 + cols**2) * (-0.5 / kernel.sigma**2)


def _squares(x: jax.Array) -> jax.Array:
    return jnp.sum(jnp.square(x.astype(jnp.float32)), -1)
