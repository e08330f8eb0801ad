"""DiMP's online rules: where the object is, whether it is there, and what is remembered.

The thresholds are those of pytracking's `dimp50` for scores of about 1 at the object.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from vosjax.boxes.protocol import HARD_NEGATIVE, NORMAL, NOT_FOUND, UNCERTAIN

FOUND = 0.25  # least score of an object, and of a hard negative
RIVAL = 0.8  # share of the best score from which a second place may be the object itself
NEGATIVE = 0.5  # share from which it is a hard negative
NEIGHBOURHOOD = 2.2  # side of the region around the best place that is its own, in object sizes
REACH = 0.8  # share of half the score map that an object moves at most from frame to frame

SLOTS = 50  # samples in the memory
LEARNING_RATE, HARD_RATE = 0.01, 0.02  # weight of a new sample; after a hard negative
FIRST_LEAST = 0.25  # least weight of all samples of the first frame together


class Peak(NamedTuple):
    """Where the scores say that the object is.

    cell   int32 [2], (row, column) of the score
    score  float32, the largest score
    flag   int32, see `protocol`
    """

    cell: jax.Array
    score: jax.Array
    flag: jax.Array


def localise(scores: jax.Array, previous: jax.Array, size: jax.Array) -> Peak:
    """Chooses the object's place among the scores, and says how certain it is.

        peak = localise(scores, jnp.array([9.0, 9.0]), jnp.array([3.6, 3.6]))

    A second place with almost the best score is the object only if it alone is near to where the
    object was.

    Args:
        scores: float32 [S, S].
        previous: float32 [2], the object's last (row, column) in cells of the score map.
        size: float32 [2], the object's (height, width) in cells.
    """
    best, first = _largest(scores)
    around = NEIGHBOURHOOD * size
    start, end = jnp.round(first - around / 2), jnp.round(first + around / 2 + 1)
    rows, columns = (jnp.arange(length) for length in scores.shape)
    own = ((rows >= start[0]) & (rows < end[0]))[:, None]
    own &= ((columns >= start[1]) & (columns < end[1]))[None, :]
    rival, second = _largest(jnp.where(own, 0, scores))
    reach = REACH * scores.shape[0] / 2
    first_far, second_far = (jnp.linalg.norm(cell - previous) > reach for cell in (first, second))
    rivals = rival > RIVAL * best
    told_apart = first_far != second_far
    negative = (rival > NEGATIVE * best) & (rival > FOUND)
    flag = jnp.where(
        best < FOUND,
        NOT_FOUND,
        jnp.where(
            rivals,
            jnp.where(told_apart, HARD_NEGATIVE, UNCERTAIN),
            jnp.where(negative, HARD_NEGATIVE, NORMAL),
        ),
    )
    takes_second = (best >= FOUND) & rivals & first_far & ~second_far
    cell = jnp.where(takes_second, second, first)
    return Peak(cell, best, flag.astype(jnp.int32))


def _largest(scores: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the largest score and its cell (row, column)."""
    index = jnp.argmax(scores)
    cell = jnp.stack([index // scores.shape[1], index % scores.shape[1]]).astype(jnp.int32)
    return scores.reshape(-1)[index], cell


def between_cells(scores: jax.Array, cell: jax.Array) -> jax.Array:
    """Refines a place by the parabola through its score and its neighbours' along each axis.

        shift = between_cells(scores, peak.cell)

    Args:
        scores: float32 [S, S].
        cell: int32 [2], (row, column).

    Returns:
        float32 [2], from -0.5 to 0.5 cells; zero along an axis where the cell is no maximum, and
        at the map's border.
    """

    def shift(line: jax.Array, at: jax.Array) -> jax.Array:
        before, here, after = (line[jnp.clip(at + i, 0, len(line) - 1)] for i in (-1, 0, 1))
        curve = before - 2 * here + after
        top = (here >= before) & (here >= after) & (curve < 0) & (at > 0) & (at < len(line) - 1)
        return jnp.where(top, (before - after) / jnp.where(top, 2 * curve, 1), 0)

    return jnp.stack([shift(scores[:, cell[1]], cell[0]), shift(scores[cell[0]], cell[1])])


class Remembered(NamedTuple):
    """The weights of the memory after a sample was added, and where it was put.

    weights  float32 [SLOTS], their sum is 1 (to a thousandth, where the first ones were raised)
    slot     int32
    count    int32, the slots in use
    """

    weights: jax.Array
    slot: jax.Array
    count: jax.Array


def remember(
    weights: jax.Array, latest: jax.Array, count: jax.Array, first: int, rate: jax.Array
) -> Remembered:
    """Makes room for a sample: in a free slot, or in that of the smallest weight.

        weights, slot, count = remember(weights, latest, count, 15, jnp.float32(0.01))

    Later samples weigh more, by a constant factor. The samples of the first frame are never
    replaced, and keep a quarter of the weight.

    Args:
        weights: float32 [SLOTS], 0 for free slots.
        latest: int32, the slot of the sample before; negative if there is none but the first ones.
        count: int32, the slots in use.
        first: number of samples of the first frame, in the slots 0 to first - 1.
        rate: the learning rate.
    """
    slots = jnp.arange(len(weights))
    replaceable = jnp.where(slots < first, jnp.inf, weights)
    slot = jnp.where(count < len(weights), count, jnp.argmin(replaceable)).astype(jnp.int32)
    alone = latest < 0
    scaled = jnp.where(alone, weights / (1 - rate), weights)
    added = jnp.where(alone, rate, weights[jnp.maximum(latest, 0)] / (1 - rate))
    scaled = scaled.at[slot].set(added)
    scaled = scaled / scaled.sum()
    from_first = jnp.where(slots < first, scaled, 0).sum()
    raised = jnp.where(
        slots < first, FIRST_LEAST / first, scaled / (FIRST_LEAST + scaled.sum() - from_first)
    )
    scaled = jnp.where(from_first < FIRST_LEAST, raised, scaled)
    return Remembered(scaled, slot, jnp.minimum(count + 1, len(weights)).astype(jnp.int32))
