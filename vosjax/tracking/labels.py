"""From the probabilities of all slots to labels of ids, and to the scores of objects."""

import functools

import jax
import jax.numpy as jnp

from vosjax.io.scores import ObjectScore
from vosjax.layers.resize import resize_maps
from vosjax.memory.kernels import on_one_tpu
from vosjax.prompt import apply_prompt
from vosjax.tracking.label_bands import fits
from vosjax.tracking.slots import HostArray, to_ids
from vosjax.types import Array, Prompt


def labels_at(
    probs: jax.Array, prompt: Prompt | None, ids: Array, size: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    """Converts a network's probabilities to labels and statistics at the user's size.

        labels, object_stats = labels_at(output.predicted, prompt, ids, size=(1080, 1920))

    It is `to_labels` of `apply_prompt` of `resize_maps`. On a TPU it is one kernel
    (`label_kernel`), which writes no map of the user's size but the labels, unless the maps do not
    fit on the chip.

    Args:
        probs: float32 [N+1, h, w] at the network's size, without the prompt.
        prompt: what the user marked, at the user's size; None if nothing was.
        ids: as for `to_labels`.
        size: (H, W) of the user's frame.

    Returns:
        The same as `to_labels`.
    """

    def plain(probs: jax.Array, ids: jax.Array, *marks: jax.Array) -> tuple[jax.Array, jax.Array]:
        maps = resize_maps(probs, *size)
        return to_labels(apply_prompt(maps, Prompt(*marks)) if marks else maps, ids)

    arrays = probs, jnp.asarray(ids), *map(jnp.asarray, prompt or ())
    if not fits(probs.shape, size):
        return plain(*arrays)
    result: tuple[jax.Array, jax.Array] = on_one_tpu(
        functools.partial(_kernel, size), plain, *arrays
    )
    return result


@jax.named_scope("to_labels")
def _kernel(
    size: tuple[int, int], probs: jax.Array, ids: jax.Array, *marks: jax.Array
) -> tuple[jax.Array, jax.Array]:
    from vosjax.tracking.label_kernel import label_kernel  # imports Pallas, which TPUs alone need

    return label_kernel(probs, Prompt(*marks) if marks else None, ids, size=size)


@jax.named_scope("to_labels")
def to_labels(probs: jax.Array, ids: Array) -> tuple[jax.Array, jax.Array]:
    """Converts probabilities to labels of ids and statistics of every slot.

        labels, object_stats = to_labels(probs, jnp.array([0, 7, 200], jnp.uint8))

    Args:
        probs: [N+1, H, W].
        ids: uint8 [N+1], the id in each slot, 0 for the background.

    Returns:
        Labels uint8 [H, W] of ids; and object stats float32 [N, 3]: the mean probability in the
        slot's mask, the mean margin over the second-best object there, and the mask's pixels.
    """
    channels = jnp.arange(probs.shape[0], dtype=jnp.int32)[:, None, None]
    winner = jnp.argmax(probs, 0).astype(jnp.int32)
    best = probs.max(0)
    second = jnp.where(channels == winner, 0, probs).max(0)
    inside = channels[1:] == winner
    area = inside.sum((1, 2)).astype(jnp.float32)
    sums = [jnp.where(inside, value, 0).sum((1, 2)) for value in (best, best - second)]
    means = [total / jnp.maximum(area, 1) for total in sums]
    return to_ids(winner, ids), jnp.stack([*means, area], 1)


def to_scores(object_stats: HostArray, followed: dict[int, int]) -> dict[int, ObjectScore]:
    """Converts the object stats of `to_labels` to scores.

        scores = to_scores(np.asarray(object_stats), {7: 1, 200: 2})

    Args:
        object_stats: [N, 3].
        followed: {id: slot} of the objects to be scored.

    Returns:
        {id: `ObjectScore`} in the order of ids.
    """
    scores = {}
    for id, slot in sorted(followed.items()):
        probability, margin, area = (float(value) for value in object_stats[slot - 1])
        scores[id] = ObjectScore(id, probability, margin, int(area), area == 0)
    return scores
