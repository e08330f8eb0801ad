"""Refines label maps of which no probabilities are known, such as the mask files of any program."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.refine.refiner import Refiner, refine_program

SLOTS = 4  # objects share programs with up to this many, and multiples of it

HostArray = np.ndarray[Any, Any]


def refine_labels(
    refiner: Refiner, frame: HostArray, labels: HostArray, *, given: bool = False, slots: int = 0
) -> tuple[HostArray, dict[str, jax.Array]]:
    """Refines a label map, whose probabilities are taken as 0 and 1.

        labels, counts = refine_labels(refiner, frame, labels)

    Args:
        refiner: of `refiner.load_refiner`.
        frame: uint8 [H, W, 3] RGB.
        labels: uint8 [H, W] of ids, 0 the background.
        given: whether the user gave these labels, which are then left as they are.
        slots: the largest number of objects of the frames before: a video whose objects come and
            go then needs one compilation only.

    Returns:
        uint8 [H, W] of ids, and what the stage counted.
    """
    ids = np.unique(np.append(labels, 0))
    slots = -(-max(len(ids) - 1, slots, 1) // SLOTS) * SLOTS
    probs = _one_hot(jnp.asarray(np.searchsorted(ids, labels).astype(np.uint8)), slots)
    refine = refine_program(refiner.stage)
    refined, counts = refine(refiner.params, frame, probs, np.full(slots, given))
    return ids[np.asarray(_slots_of(refined))].astype(np.uint8), counts


@functools.partial(jax.jit, static_argnums=1)
def _one_hot(labels: jax.Array, slots: int) -> jax.Array:
    return (labels == jnp.arange(slots + 1)[:, None, None]).astype(jnp.float32)


@jax.jit
def _slots_of(probs: jax.Array) -> jax.Array:
    return jnp.argmax(probs, 0)
