"""The exact search for the k largest logits of every query, by the maxima of blocks of columns.

Sorting all columns is slow. Columns are grouped in blocks of 16, stored so that the maxima of all
blocks are one reduction over an axis that vector units run along:

    column      0  1 ..  15 | 16 17 ..  31 | 32 33 ..  47 | 48 49 ..  63      logits of one query
                  block 0        block 1        block 2        block 3

                block  0    1    2    3
    row 0              0   16   32   48         column c * 16 + j is stored at [j, c]
    row 1              1   17   33   49
      ...             ..   ..   ..   ..
    row 15            15   31   47   63
                     ---  ---  ---  ---
    maxima           5.1  0.2  7.3  3.0   ->  the k = 2 blocks with the largest maxima: 2 and 0
                                          ->  in the order of columns: 0 and 2
                                          ->  the k largest of their 32 columns

If a block is not among those k, then k columns (the maxima of other blocks) are larger than all of
its own, or equal and earlier; so none of its columns is among the k largest.
"""

import jax
import jax.numpy as jnp

BLOCK = 16  # columns of a block


def top_columns(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """Finds the k largest scores of every row and their columns, exactly like `lax.top_k`.

        blocks = in_blocks(logits, 1).reshape(len(logits), BLOCK, -1)      # logits [Q, columns]
        largest, columns = top_columns(blocks, 20)

    Of equal scores the first columns are kept, which is why blocks are consecutive columns.

    Args:
        scores: [..., BLOCK, blocks]; column c * BLOCK + j is stored at [j, c].
        k: at most BLOCK * blocks.

    Returns:
        (scores, columns), both [..., k], the largest score first; the columns are int32.
    """
    lead, blocks = scores.shape[:-2], scores.shape[-1]
    _, best = jax.lax.top_k(scores.max(-2), min(k, blocks))
    best = jnp.sort(best)[..., None]
    inside = jnp.arange(BLOCK, dtype=best.dtype)
    stored = (inside * blocks + best).reshape(*lead, -1)
    candidates = jnp.take_along_axis(scores.reshape(*lead, -1), stored, -1)
    largest, order = jax.lax.top_k(candidates, k)
    return largest, jnp.take_along_axis((best * BLOCK + inside).reshape(*lead, -1), order, -1)


def in_blocks(x: jax.Array, axis: int, fill: float = 0) -> jax.Array:
    """Pads an axis of columns to whole blocks and brings it into the order of `top_columns`.

        keys = in_blocks(keys, 0)      # [40, 1, C] -> [48, 1, C]

    Args:
        x: any array.
        axis: its axis of columns, not negative.
        fill: value of the columns that are added.

    Returns:
        `x` with the axis padded to a multiple of BLOCK; reshaped to [BLOCK, blocks], the axis has
        the layout that `top_columns` expects.
    """
    blocks = -(-x.shape[axis] // BLOCK)
    x = jnp.pad(
        x,
        [(0, blocks * BLOCK - n if i == axis else 0) for i, n in enumerate(x.shape)],
        constant_values=fill,
    )
    shape = x.shape
    x = x.reshape(*shape[:axis], blocks, BLOCK, *shape[axis + 1 :])
    return jnp.swapaxes(x, axis, axis + 1).reshape(shape)


def block_columns(count: int) -> jax.Array:
    """Returns the number of the column at each place of the order of `in_blocks`: int32 [count].

        block_columns(64)[:4]      # [0, 16, 32, 48]

    Args:
        count: number of columns, a multiple of BLOCK.
    """
    return jnp.arange(count, dtype=jnp.int32).reshape(-1, BLOCK).T.reshape(-1)
