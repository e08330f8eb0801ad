"""What networks with a mask for each object share: aggregation, the other objects, padding."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from vosjax.types import UNUSED_LOGIT

SURE = 1e-7  # probabilities keep this distance from 0 and 1
STRIDE = 16


def aggregate(probs: jax.Array, live: jax.Array) -> jax.Array:
    """Soft aggregation of independent object probabilities.

        logits = aggregate(probs, live)      # [N, ...], [N] -> [N+1, ...]

    The background is where no object is, every class has its log-odds; a softmax over the result
    gives the odds' shares (STM, Oh et al. 2019, eq. 3). Slots that are not live [N] get -1e10 and
    weigh nothing.
    """
    live = live.reshape(-1, *[1] * (probs.ndim - 1))
    probs = jnp.where(live, probs, 0)
    odds = jnp.concatenate([jnp.prod(1 - probs, 0, keepdims=True), probs])
    odds = jnp.clip(odds, SURE, 1 - SURE)
    logits = jnp.log(odds / (1 - odds))
    return logits.at[1:].set(jnp.where(live, logits[1:], UNUSED_LOGIT))


def others(masks: jax.Array) -> jax.Array:
    """For every mask the sum of all the others, unclamped: [N, ...] -> [N, ...].

    rest = others(masks)
    """
    return masks.sum(0) - masks


def margins(height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows before and after, columns before and after, that make both sides multiples of 16.

    margins(33, 64)      # ((7, 8), (0, 0))
    """
    rows, cols = -height % STRIDE, -width % STRIDE
    return (rows // 2, rows - rows // 2), (cols // 2, cols - cols // 2)


def pad(x: jax.Array, *, first: int = 0) -> jax.Array:
    """Pads rows and columns of x, axes `first` and `first + 1`, with zeros to multiples of 16.

    padded = pad(frame)
    """
    around = margins(*x.shape[first : first + 2])
    return jnp.pad(x, [(0, 0)] * first + [*around] + [(0, 0)] * (x.ndim - first - 2))


def crop(maps: jax.Array, height: int, width: int) -> jax.Array:
    """The inverse of `pad` for maps [..., H', W'].

    maps = crop(padded, 33, 64)
    """
    (top, _), (left, _) = margins(height, width)
    return maps[..., top : top + height, left : left + width]


def paste(maps: jax.Array, inner: jax.Array) -> jax.Array:
    """Padded maps [..., H', W'] with `inner` [..., H, W] in the place that `crop` takes.

    maps = paste(maps, inner)
    """
    (top, _), (left, _) = margins(*inner.shape[-2:])
    return maps.at[..., top : top + inner.shape[-2], left : left + inner.shape[-1]].set(inner)


def map_objects(
    function: Callable[..., Any], live: jax.Array, *arrays: jax.Array, together: bool = False
) -> Any:
    """`function` of every live object's arrays, zeros for the others.

        logits = map_objects(decode, live, readouts)      # readouts [N, h, w, D]

    One object after the other: the maps of one object at a time are in memory, and slots that
    nobody has given cost nothing. `together` takes them as a batch, for training: a derivative
    keeps all their maps in any case, a batch of clips makes every branch run, and the gradients
    of convolutions inside of a loop are many times slower than outside of one.
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
