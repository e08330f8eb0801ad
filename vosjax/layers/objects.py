"""Operations of networks with one mask per object: aggregation, other objects, padding."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from vosjax.types import UNUSED_LOGIT

SURE = 1e-7  # least distance of probabilities from 0 and 1
STRIDE = 16


def aggregate(probs: jax.Array, live: jax.Array) -> jax.Array:
    """Aggregates independent object probabilities softly (STM, Oh et al. 2019, eq. 3).

        logits = aggregate(probs, live)      # [N, ...], [N] -> [N+1, ...]

    The probability of the background is the product of 1 - p over the objects. Every class gets its
    log-odds, so that a softmax over the classes normalises the odds.

    Args:
        probs: [N, ...], the probability of each object in 0..1.
        live: bool [N], the slots that hold an object; the logits of all others are -1e10.

    Returns:
        Logits [N+1, ...], the background first.
    """
    live = live.reshape(-1, *[1] * (probs.ndim - 1))
    probs = jnp.where(live, probs, 0)
    odds = jnp.concatenate([jnp.prod(1 - probs, 0, keepdims=True), probs])
    odds = jnp.clip(odds, SURE, 1 - SURE)
    logits = jnp.log(odds / (1 - odds))
    return logits.at[1:].set(jnp.where(live, logits[1:], UNUSED_LOGIT))


def others(masks: jax.Array) -> jax.Array:
    """Returns for each mask the sum of all other masks, not clipped: [N, ...] -> [N, ...].

    rest = others(masks)
    """
    return masks.sum(0) - masks


def margins(height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the padding (before, after) of rows and columns that makes both multiples of 16.

    margins(33, 64)      # ((7, 8), (0, 0))
    """
    rows, cols = -height % STRIDE, -width % STRIDE
    return (rows // 2, rows - rows // 2), (cols // 2, cols - cols // 2)


def pad(x: jax.Array, *, first: int = 0) -> jax.Array:
    """Pads the axes `first` (rows) and `first + 1` (columns) with zeros to multiples of 16.

    padded = pad(frame)
    """
    around = margins(*x.shape[first : first + 2])
    return jnp.pad(x, [(0, 0)] * first + [*around] + [(0, 0)] * (x.ndim - first - 2))


def crop(maps: jax.Array, height: int, width: int) -> jax.Array:
    """Undoes `pad`: cuts maps [..., height, width] out of padded ones [..., H', W'].

    maps = crop(padded, 33, 64)
    """
    (top, _), (left, _) = margins(height, width)
    return maps[..., top : top + height, left : left + width]


def paste(maps: jax.Array, inner: jax.Array) -> jax.Array:
    """Replaces the part of padded maps [..., H', W'] that `crop` returns by `inner` [..., H, W].

    maps = paste(maps, inner)
    """
    (top, _), (left, _) = margins(*inner.shape[-2:])
    return maps.at[..., top : top + inner.shape[-2], left : left + inner.shape[-1]].set(inner)


def map_objects(
    function: Callable[..., Any], live: jax.Array, *arrays: jax.Array, together: bool = False
) -> Any:
    """Applies a function to the arrays of every live object; the results of others are zeros.

        logits = map_objects(decode, live, readouts)      # readouts [N, h, w, D]

    By default the objects are processed one after the other, so that only one object's maps are in
    memory and slots without an object cost nothing. For training, `together` processes them as a
    batch: derivatives need the maps of all objects anyway, a batch of clips makes every branch run,
    and gradients of convolutions are many times slower inside a loop.

    Args:
        function: maps the arrays of one object to a pytree of arrays.
        live: bool [N], the slots that hold an object.
        *arrays: arrays [N, ...].
        together: whether all objects are processed as one batch.

    Returns:
        The results, stacked along a first axis of length N.
    """
    if together:
        results = jax.vmap(function)(*arrays)
        return jax.tree.map(
            lambda leaf: jnp.where(live.reshape(-1, *[1] * (leaf.ndim - 1)), leaf, 0), results
        )
    shapes = jax.eval_shape(function, *(array[0] for array in arrays))

    def one(item: jax.Array) -> jax.Array:
        alive, own = item
        return jax.lax.cond(
            alive,
            lambda: function(*own),
            lambda: jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes),
        )

    return jax.lax.map(one, (live, arrays))
