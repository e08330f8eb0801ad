"""The gradient of a batch in parts, one after the other, for batches that do not fit in memory."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def value_and_grad(
    loss: Callable[[Any, Any], tuple[jax.Array, Any]], weights: Any, batch: Any, parts: int
) -> tuple[jax.Array, Any, Any]:
    """Returns the mean loss of the parts of a batch, its gradient, and what the loss gives beside.

        total, beside, grads = value_and_grad(loss, trainable, (clips, keys), parts=4)

    The loss has to be a mean over samples, so that the mean over parts is that over the batch. A
    part takes every `parts`-th sample: a batch that is split over devices is then divided on each
    of them, and no sample moves.

    Args:
        loss: (weights, batch) -> (scalar, pytree of arrays).
        weights: a pytree of arrays.
        batch: a pytree of arrays [B, ...].
        parts: number of parts A, which divides B.

    Returns:
        The mean loss; the pytree of the loss, each array with a further first axis A; the gradient,
        a pytree like `weights`.
    """
    differentiated = jax.value_and_grad(loss, has_aux=True)
    if parts == 1:
        (total, beside), grads = differentiated(weights, batch)
        return total, jax.tree.map(lambda x: x[None], beside), grads
    divided = jax.tree.map(lambda x: x.reshape(-1, parts, *x.shape[1:]).swapaxes(0, 1), batch)

    def add(sums: Any, part: Any) -> Any:
        (total, beside), grads = differentiated(weights, part)
        return jax.tree.map(jnp.add, sums, (total, grads)), beside

    zeros = jnp.zeros(()), jax.tree.map(jnp.zeros_like, weights)
    sums, beside = jax.lax.scan(add, zeros, divided)
    total, grads = jax.tree.map(lambda x: x / parts, sums)
    return total, beside, grads


def joined(samples: jax.Array) -> jax.Array:
    """Brings what was computed of each sample back to the order of the batch.

        prediction = joined(beside["prediction"])      # [A, B / A, ...] -> [B, ...]

    Args:
        samples: an array of what `value_and_grad` returns beside the loss.
    """
    return samples.swapaxes(0, 1).reshape(-1, *samples.shape[2:])
