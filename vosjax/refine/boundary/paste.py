"""Boundary refinement: which refined patches are taken, and how they are laid into soft masks."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

LEAST = 1e-7  # probabilities are kept this far from 0 and 1 where odds are taken
TAPER = 8  # outer pixels of a patch over which its weight falls
FLOOR = 0.05  # to which it falls
SAME = 0.3  # IoU with the coarse mask that a refined patch has to have
REACH = 12  # pixels from the coarse boundary, beyond which a patch should change nothing
FAR = 0.1  # share of the pixels beyond that may change nonetheless


@functools.lru_cache(maxsize=8)
def window(patch: int, taper: bool) -> np.ndarray:
    """Returns the weights of a patch's pixels in the average over patches, float32 [P, P].

        window(64, taper=False)      # ones, as in the reference

    Args:
        patch: side P in pixels.
        taper: whether weights fall towards the border, as a raised cosine over 8 pixels.
    """
    if not taper:
        return np.ones((patch, patch), np.float32)
    distance = np.minimum(np.arange(patch), np.arange(patch)[::-1]) + 0.5
    rise = 0.5 - 0.5 * np.cos(math.pi * np.minimum(distance / TAPER, 1))
    return np.maximum(np.outer(rise, rise), FLOOR).astype(np.float32)


def near_boundary(masks: jax.Array) -> jax.Array:
    """Returns which pixels have both classes within 12 pixels (along rows and columns).

    near_boundary(jnp.zeros((1, 64, 64), bool)).any()      # False

    Args:
        masks: bool [B, P, P].
    """

    def spread(maps: jax.Array) -> jax.Array:
        size = 2 * REACH + 1
        for shape in ((1, size, 1), (1, 1, size)):
            maps = jax.lax.reduce_window(maps, False, jax.lax.bitwise_or, shape, (1, 1, 1), "SAME")
        return maps

    return spread(masks) & spread(~masks)


def refusals(coarse: jax.Array, refined: jax.Array) -> dict[str, jax.Array]:
    """Returns which refined patches are not to be taken, and why.

        refused = functools.reduce(jnp.logical_or, refusals(masks, probs > 0.5).values())

    Args:
        coarse: bool [B, P, P], the masks as they were.
        refined: bool [B, P, P], the masks as the network has them.

    Returns:
        bool [B] under 'one_class' (the refined patch is all inside or all outside), 'other_mask'
        (IoU of both masks below 0.3) and 'far_changes' (over 10 % of the pixels beyond 12 pixels
        from the coarse boundary change); at most one is True for a patch.
    """
    axes = (1, 2)
    one_class = refined.all(axes) | ~refined.any(axes)
    shared, either = (coarse & refined).sum(axes), (coarse | refined).sum(axes)
    other_mask = (shared < SAME * either) & ~one_class
    far = ~near_boundary(coarse)
    changed = ((coarse != refined) & far).sum(axes)
    far_changes = (changed > FAR * far.sum(axes)) & ~one_class & ~other_mask
    return {"one_class": one_class, "other_mask": other_mask, "far_changes": far_changes}


def fused(probs: jax.Array, sums: jax.Array, weights: jax.Array, strength: float) -> jax.Array:
    """Fuses coarse probabilities with the averages of refined patches.

        probs = fused(probs, sums, weights, strength=0.7)

    P' = (1 - a) P + a Q where an object has a patch, and P elsewhere. Objects are then weighed
    against each other by their odds P' / (1 - P'), as in STM: the background has the probability
    that no object is there. Pixels in which no object has a patch are returned bit by bit.

    Args:
        probs: float32 [N+1, ...], channel 0 the background; sums to one.
        sums: float32 [N, ...], sums of refined probabilities times weights.
        weights: float32 [N, ...], sums of weights, 0 where an object has no patch.
        strength: a, above 0 up to 1.

    Returns:
        float32 [N+1, ...], sums to one.
    """
    covered = weights > 0
    refined = sums / jnp.where(covered, weights, 1)
    mixed = jnp.where(covered, (1 - strength) * probs[1:] + strength * refined, probs[1:])
    none = jnp.prod(1 - mixed, axis=0, keepdims=True)
    every = jnp.concatenate([none, mixed])
    safe = jnp.clip(every, LEAST, 1 - LEAST)
    odds = jnp.where(every > 0, safe / (1 - safe), 0).at[0].max(LEAST)
    return jnp.where(covered.any(0), odds / odds.sum(0), probs)
