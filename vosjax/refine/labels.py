"""Refines label maps of which no probabilities are known, such as the mask files of any program."""

import functools
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.refine.pool import refine_frames
from vosjax.refine.refiner import Refiner
from vosjax.types import Array

SLOTS = 4  # objects share programs with up to this many, and multiples of it

HostArray = np.ndarray[Any, Any]
Key = TypeVar("Key")


def refine_label_maps(
    refiner: Refiner, maps: Iterable[tuple[Key, HostArray, HostArray, bool]], *, slots: int = 0
) -> Iterator[tuple[Key, HostArray, dict[str, jax.Array]]]:
    """Refines the label maps of a video, whose probabilities are taken as 0 and 1.

        maps = ((index, frame, labels, index == 0) for index, (frame, labels) in enumerate(video))
        for index, labels, counts in refine_label_maps(refiner, maps):
            ...

    Args:
        refiner: of `refiner.load_refiner`.
        maps: for each frame a key of the caller's, the frame uint8 [H, W, 3] RGB, its labels uint8
            [H, W] of ids, 0 the background, and whether the user gave these labels, which are then
            left as they are.
        slots: the number of objects of the video, if it is known. A frame with more objects than
            all before it needs other programs, but for the network's.

    Yields:
        For each frame, in order, its key, labels uint8 [H, W] of ids, and what the stage counted;
        some frames later than they are read, see `pool.refine_frames`.
    """

    def rows() -> Iterator[tuple[tuple[Key, HostArray], Array, Array, Array]]:
        most = max(slots, 1)
        for key, frame, labels, given in maps:
            ids = np.unique(np.append(labels, 0))
            most = max(most, len(ids) - 1)
            room = -(-most // SLOTS) * SLOTS
            probs = _one_hot(jnp.asarray(np.searchsorted(ids, labels).astype(np.uint8)), room)
            yield (key, ids), frame, probs, np.full(room, given)

    for (key, ids), probs, counts in refine_frames(refiner, rows()):
        yield key, ids[np.asarray(_slots_of(probs))].astype(np.uint8), counts


def refine_labels(
    refiner: Refiner, frame: HostArray, labels: HostArray, *, given: bool = False, slots: int = 0
) -> tuple[HostArray, dict[str, jax.Array]]:
    """Refines the label map of one frame; see `refine_label_maps`.

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
    maps = [(None, frame, labels, given)]
    _, refined, counts = next(refine_label_maps(refiner, maps, slots=slots))
    return refined, counts


@functools.partial(jax.jit, static_argnums=1)
def _one_hot(labels: jax.Array, slots: int) -> jax.Array:
    return (labels == jnp.arange(slots + 1)[:, None, None]).astype(jnp.float32)


@jax.jit
def _slots_of(probs: jax.Array) -> jax.Array:
    return jnp.argmax(probs, 0)
