"""The masked memory read that all networks share: softmax attention over the filled slots.

Without top-k this is an online softmax (`softmax`), with top-k a search for the k largest logits of
each query (`top_read`).
"""

import functools

import jax
import jax.numpy as jnp

from vosjax.memory.affinity import Kernel, best_queries
from vosjax.memory.softmax import softmax_read
from vosjax.memory.top_read import top_read


@jax.named_scope("memory_read")
def read(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    *,
    top_k: int | None = None,
    metric: str = "dot",
    kernel: Kernel | None = None,
    layer: int | None = None,
) -> jax.Array:
    """Reads a memory of M frames with Q queries.

        bank = memory.init(entry, capacity=8)                   # entry.key [P, 1, 64], ...
        readout = read(query, bank.data.key, bank.data.value, bank.valid, top_k=20, metric="l2")

    | array | shape | |
    |---|---|---|
    | query | [Q, heads or 1, C] | |
    | key   | [M, P, heads or 1, C] | |
    | value | [M, P, heads, D] | |
    | valid | [M] or [M, heads] bool | slots that hold a frame, for all heads or for each |
    | result | [Q, heads, D] | zeros if no slot is valid |

    Heads read independently of each other; they are attention heads, or objects. If neither
    queries nor keys have heads, all heads share one affinity; if they also have the same valid
    slots, they share one softmax.

    Args:
        query: see the table.
        key: see the table.
        value: see the table.
        valid: see the table.
        top_k: keeps only the k largest logits of each query and head, and of equal ones the first,
            as `lax.top_k`; None keeps all (Cheng et al., CVPR 2021, "MiVOS").
        metric: 'dot', q.k / sqrt(C), or 'l2', (2 q.k - |k|^2) / sqrt(C): the negative squared
            distance up to a term that cancels in the softmax (STCN, Cheng et al. 2021).
        kernel: weights the exponentials before the largest are chosen, or None. For inference only,
            as in KMN.
        layer: the layer that is read, if key and value are those of several, [M, L, P, ...]; they
            are cut out of the memory only where the read has to.
    """
    if layer is not None and top_k is None and kernel is None and key.shape[-2] > 1:
        valid = jnp.broadcast_to(
            valid if valid.ndim == 2 else valid[:, None], (valid.shape[0], value.shape[-2])
        )
        return softmax_read(query, key, value, valid, metric=metric, layer=layer)
    if layer is not None:
        key, value = key[:, layer], value[:, layer]
    read_softmaxes = functools.partial(_read, top_k=top_k, metric=metric, kernel=kernel)
    if max(query.shape[1], key.shape[2]) > 1 or value.shape[2] == 1:
        valid = jnp.broadcast_to(
            valid if valid.ndim == 2 else valid[:, None], (valid.shape[0], value.shape[2])
        )
        return read_softmaxes(query, key, value, valid)
    if valid.ndim == 1:
        return read_softmaxes(query, key, value, valid[:, None])
    result: jax.Array = jax.lax.cond(
        jnp.all(valid == valid[:, :1]),
        lambda: read_softmaxes(query, key, value, valid[:, :1]),
        lambda: read_softmaxes(query, key, value, valid),
    )
    return result


def _read(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    *,
    top_k: int | None,
    metric: str,
    kernel: Kernel | None,
) -> jax.Array:
    """Reads with as many softmaxes as `valid` [M, 1 or heads] has columns."""
    best = None if kernel is None else best_queries(query, key, metric)
    form = softmax_read if top_k is None else functools.partial(top_read, top_k=top_k)
    return form(query, key, value, valid, metric=metric, kernel=kernel, best=best)
