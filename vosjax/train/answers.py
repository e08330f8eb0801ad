"""Masks of one object that a network answers, judged: IoU, loss, and a click that corrects them."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from vosjax.datasets.decode import IGNORE
from vosjax.interactive import clues as clue

POOL = 4  # mistakes are looked at in cells of so many pixels
DEPTH = 10  # rounds of smoothing, after which the largest mistake stands out


def losses(logits: jax.Array, truth: jax.Array) -> jax.Array:
    """Returns the loss of each sample, [B]: half cross-entropy, half soft Jaccard.

    Args:
        logits: [B, S, S] float32.
        truth: [B, S, S] uint8, 0 and 1; 255 is ignored.
    """
    counted, inside = truth != IGNORE, truth == 1
    entropy = jax.nn.softplus(jnp.where(inside, -logits, logits)) * counted
    pixels = jnp.maximum(jnp.sum(counted, (1, 2)), 1)
    probs = jax.nn.sigmoid(logits) * counted
    both = jnp.sum(probs * inside, (1, 2))
    either = jnp.sum(probs, (1, 2)) + jnp.sum(inside, (1, 2)) - both
    return 0.5 * jnp.sum(entropy, (1, 2)) / pixels + 0.5 * (1 - (both + 1) / (either + 1))


def ious(masks: jax.Array, truth: jax.Array) -> jax.Array:
    """Returns the IoU of each mask with the truth, [B] float32; 1 if both are empty.

    Args:
        masks: [B, S, S] bool.
        truth: [B, S, S] uint8, 0 and 1; 255 is ignored.
    """
    counted, inside = truth != IGNORE, truth == 1
    both = jnp.sum(masks & inside, (1, 2))
    either = jnp.sum((masks | inside) & counted, (1, 2))
    return jnp.where(either == 0, 1.0, both / jnp.maximum(either, 1))


def corrected(clues: jax.Array, logits: jax.Array, truth: jax.Array) -> jax.Array:
    """Returns the clues with one more click, in the middle of the largest mistake, and the mask.

        clues = corrected(clues, logits, truth)

    The mistake is found in cells of 4 pixels: where a map of mistakes stays highest after it was
    smoothed again and again, most mistakes lie around. Without a mistake no click is added.

    Args:
        clues: [B, S, S, 4] float32.
        logits: [B, S, S] float32, the answer to them.
        truth: [B, S, S] uint8, 0 and 1; 255 is ignored.
    """
    answer = logits > 0
    wrong = (answer != (truth == 1)) & (truth != IGNORE)
    side = truth.shape[1] // POOL * POOL
    cells = wrong[:, :side, :side].reshape(-1, side // POOL, POOL, side // POOL, POOL)
    cells = jnp.mean(cells.astype(jnp.float32), (2, 4))
    total: Any = cells
    smooth: Any = cells
    for _ in range(DEPTH):
        smooth = cells * _smoothed(smooth)
        total = total + smooth
    flat = jnp.argmax(total.reshape(len(total), -1), 1)
    row, column = jnp.divmod(flat, side // POOL)
    centre = jnp.stack([column, row], 1) * POOL + POOL / 2
    inside = jax.vmap(lambda t, r, c: t[r, c] == 1)(
        truth, row * POOL + POOL // 2, column * POOL + POOL // 2
    )
    discs = jax.vmap(functools.partial(clue.disc, truth.shape[1]))(centre)
    discs = discs & jnp.any(wrong, (1, 2))[:, None, None]
    there = inside[:, None, None]
    inner = jnp.maximum(clues[..., clue.INSIDE], discs & there)
    outer = jnp.maximum(clues[..., clue.OUTSIDE], discs & ~there)
    return jnp.stack([clues[..., clue.BOX], inner, outer, jax.nn.sigmoid(logits)], -1)


def _smoothed(maps: jax.Array) -> jax.Array:
    """Averages over 3x3 cells, zeros around."""
    across = jnp.pad(maps, ((0, 0), (0, 0), (1, 1)))
    maps = (across[:, :, :-2] + across[:, :, 1:-1] + across[:, :, 2:]) / 3
    down = jnp.pad(maps, ((0, 0), (1, 1), (0, 0)))
    return (down[:, :-2] + down[:, 1:-1] + down[:, 2:]) / 3
