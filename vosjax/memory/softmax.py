"""The read of all memory elements: an online softmax over frames, and its derivative.

Frames are processed one after the other, so that the logits of only one frame are in memory at a
time (on CPUs those of one head). Three values are carried for every query:

    peak    the largest logit so far
    mass    sum of exp(logit - peak)
    total   sum of exp(logit - peak) * value

If a frame has a higher peak, mass and total are multiplied by exp(old peak - new peak); in the end
the mean is total / mass (Milakov and Gimelshein 2018; Dao et al. 2022, "FlashAttention"). Empty
slots are skipped. The derivative recomputes the weights from peak + log(mass), the normaliser of
the softmax, instead of keeping them.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from vosjax.memory.affinity import EMPTY_LOGIT, Kernel, frame_affinity, log_kernel
from vosjax.memory.kernels import on_one_tpu

TOGETHER = 2**20  # largest number of logits at which CPUs process all heads at once

FrameValues = Callable[[jax.Array], jax.Array]  # number of a memory frame -> its values [P, D]


def softmax_read(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    *,
    metric: str = "dot",
    kernel: Kernel | None = None,
    best: jax.Array | None = None,
    layer: int | None = None,
) -> jax.Array:
    """Reads all memory elements, with as many softmaxes as `valid` has columns.

        result = softmax_read(query, key, value, valid[:, None])      # one softmax for all heads

    Args:
        query: [Q, softmaxes or 1, C].
        key: [M, P, softmaxes or 1, C].
        value: [M, P, heads, D].
        valid: [M, softmaxes] bool; softmaxes is 1 or the number of heads.
        metric: as for `affinity`.
        kernel: added to the logits, or None.
        best: the result of `best_queries`; needed with a kernel.
        layer: the layer that is read of key and value [M, L, P, ...], without a kernel; None if
            they have no layers.

    Returns:
        [Q, heads, D] in the dtype of `value`; zeros if no slot is valid. Without a kernel it is
        differentiable in query, key and value.
    """
    if kernel is None:
        form: dict[str, Any] = dict(metric=metric, layer=layer)
        read: jax.Array = on_one_tpu(
            functools.partial(_kernel, **form),
            functools.partial(plain_read, **form),
            query,
            key,
            value,
            valid,
        )
        return read
    assert best is not None
    best = jnp.broadcast_to(best.swapaxes(0, 1), (valid.shape[1], *key.shape[:2]))
    query, key, rows = _arranged(query, key, value, valid.shape[1])
    result, _ = _fold(query, key, rows, valid.T, metric, kernel, best)
    return _restored(result, value)


def _kernel(*arrays: jax.Array, metric: str, layer: int | None) -> jax.Array:
    from vosjax.memory.flash import flash_read  # imports Pallas, which TPUs alone need

    return flash_read(*arrays, metric=metric, layer=layer)


def plain_read(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    *,
    metric: str = "dot",
    layer: int | None = None,
) -> jax.Array:
    """Computes `softmax_read` frame by frame, on any platform and with a derivative."""
    if layer is not None:
        key, value = key[:, layer], value[:, layer]
    arrays = _arranged(query, key, value, valid.shape[1])
    return _restored(_means(*arrays, valid.T, metric), value)


def _arranged(
    query: jax.Array, key: jax.Array, value: jax.Array, softmaxes: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Brings query, key (in the layout of `frame_affinity`) and value in the order of `_fold`."""

    def per_softmax(x: jax.Array) -> jax.Array:
        return jnp.broadcast_to(x, (*x.shape[:-2], softmaxes, x.shape[-1]))

    rows = value.reshape(*value.shape[:2], -1)
    return per_softmax(query).swapaxes(0, 1), per_softmax(key).transpose(2, 0, 3, 1), rows


def _restored(means: jax.Array, value: jax.Array) -> jax.Array:
    """Brings the means [softmaxes, Q, D] in the order and the dtype of the values."""
    result = means.swapaxes(0, 1).reshape(means.shape[1], *value.shape[2:])
    return result.astype(value.dtype)


def _of_every_softmax(
    function: Callable[[Any, FrameValues], Any], arrays: tuple[Any, ...], value: jax.Array
) -> Any:
    """Applies function(own arrays, values of a frame) to every softmax and stacks the results.

    For large reads, CPUs process one softmax after the other, so that the logits stay in their
    caches, and without changing the layout of `value` [M, P, softmaxes * D], which may be larger
    than everything else. `arrays` begin with query [softmaxes, Q, C] and key [softmaxes, M, C, P].
    """
    query, key = arrays[:2]
    softmaxes = query.shape[0]
    frames, positions, depth = value.shape[0], value.shape[1], value.shape[2] // softmaxes

    def in_turn(arrays: tuple[Any, ...], value: jax.Array) -> Any:
        def one(item: tuple[jax.Array, Any]) -> Any:
            index, own = item

            def values(frame: jax.Array) -> jax.Array:
                start = (frame, 0, index * depth)
                return jax.lax.dynamic_slice(value, start, (1, positions, depth))[0]

            return function(own, values)

        return jax.lax.map(one, (jnp.arange(softmaxes), arrays))

    def together(arrays: tuple[Any, ...], value: jax.Array) -> Any:
        value = value.reshape(frames, positions, softmaxes, depth)
        return jax.vmap(lambda own, value: function(own, lambda frame: value[frame]), (0, 2))(
            arrays, value
        )

    if softmaxes * query.shape[1] * key.shape[-1] <= TOGETHER:
        return together(arrays, value)
    return jax.lax.platform_dependent(arrays, value, cpu=in_turn, default=together)


def _fold(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    metric: str,
    kernel: Kernel | None = None,
    best: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Computes the online softmax of every query.

    Args:
        query: [softmaxes, Q, C].
        key: [softmaxes, M, C, P].
        value: [M, P, softmaxes * D].
        valid: [softmaxes, M].
        metric: as for `affinity`.
        kernel: added to the logits, or None.
        best: [softmaxes, M, P]; needed with a kernel.

    Returns:
        The means [softmaxes, Q, D], and the logarithms of the normalisers [softmaxes, Q].
    """
    filled = jnp.any(valid, 0)  # in any softmax, so that it stays a branch if these are batched
    depth = value.shape[2] // query.shape[0]

    def one(arrays: Any, values: FrameValues) -> tuple[jax.Array, jax.Array]:
        query, key, valid, best = arrays

        def attend(carry: Any, slot: Any) -> Any:
            number, key, valid, best = slot
            peak, mass, total = carry
            logits = frame_affinity(query, key, metric)
            if kernel is not None:
                logits = logits + log_kernel(jnp.arange(query.shape[0]), best, kernel)
            # Subtracting infinity gives frames that are not valid in this softmax a weight of zero.
            new_peak = jnp.where(valid, jnp.maximum(peak, logits.max(-1)), peak)
            weights = jnp.exp(logits - jnp.where(valid, new_peak, jnp.inf)[:, None])
            fade = jnp.exp(peak - new_peak)
            part = jnp.matmul(
                weights.astype(value.dtype), values(number), preferred_element_type=jnp.float32
            )
            return new_peak, mass * fade + weights.sum(-1), total * fade[:, None] + part

        def fold(carry: Any, slot: Any) -> tuple[Any, None]:
            filled, *slot = slot
            return jax.lax.cond(filled, attend, lambda carry, slot: carry, carry, slot), None

        queries = query.shape[0]
        start = (
            jnp.full(queries, EMPTY_LOGIT, jnp.float32),
            jnp.zeros(queries, jnp.float32),
            jnp.zeros((queries, depth), jnp.float32),
        )
        slots = (filled, jnp.arange(filled.size), key, valid, best)
        (peak, mass, total), _ = jax.lax.scan(fold, start, slots)
        mass = jnp.where(mass > 0, mass, 1)
        return total / mass[:, None], peak + jnp.log(mass)

    means, normalisers = _of_every_softmax(one, (query, key, valid, best), value)
    return means, normalisers


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _means(
    query: jax.Array, key: jax.Array, value: jax.Array, valid: jax.Array, metric: str
) -> jax.Array:
    """Returns the means of `_fold`, with a derivative that recomputes the weights."""
    return _fold(query, key, value, valid, metric)[0]


def _means_forward(
    query: jax.Array, key: jax.Array, value: jax.Array, valid: jax.Array, metric: str
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    means, normalisers = _fold(query, key, value, valid, metric)
    return means, (query, key, value, valid, means, normalisers)


def _means_backward(
    metric: str, saved: tuple[jax.Array, ...], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, None]:
    """Computes gradients; that of a logit is w (g.v - g.m), with weight w, value v and mean m."""
    query, key, value, valid, means, normalisers = saved
    filled = jnp.any(valid, 0)

    def one(arrays: Any, values: FrameValues) -> Any:
        query, key, valid, means, normalisers, cotangent = arrays
        along_mean = jnp.sum(cotangent * means, -1, keepdims=True)

        def unfold(to_query: jax.Array, slot: Any) -> Any:
            filled, number, key, valid = slot

            def attend() -> Any:
                logits, pull = jax.vjp(lambda q, k: frame_affinity(q, k, metric), query, key)
                weights = jnp.exp(logits - jnp.where(valid, normalisers, jnp.inf)[:, None])
                more, to_key = pull(weights * (cotangent @ values(number).T - along_mean))
                return to_query + more, to_key, (weights.T @ cotangent).astype(value.dtype)

            def skip() -> Any:
                return (
                    to_query,
                    jnp.zeros_like(key),
                    jnp.zeros((key.shape[1], cotangent.shape[1]), value.dtype),
                )

            to_query, *to_memory = jax.lax.cond(filled, attend, skip)
            return to_query, to_memory

        slots = (filled, jnp.arange(filled.size), key, valid)
        to_query, (to_key, to_value) = jax.lax.scan(unfold, jnp.zeros_like(query), slots)
        return to_query, to_key, to_value

    to_query, to_key, to_value = _of_every_softmax(
        one, (query, key, valid, means, normalisers, cotangent), value
    )
    return to_query, to_key, to_value.transpose(1, 2, 0, 3).reshape(value.shape), None


_means.defvjp(_means_forward, _means_backward)
