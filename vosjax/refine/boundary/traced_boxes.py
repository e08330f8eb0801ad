"""Boundary refinement: the patches of several objects within a compiled program (`boxes`, traced).

The number of boxes is not known while tracing, so that there is room for a fixed number of them.
NMS takes the best remaining pixel and clears the square of pixels around it whose boxes overlap
too much. The best pixel of every row is kept, since only the rows of that square change.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from vosjax.refine.boundary.boxes import PATCH, suppressed

# Ranks, the best of every row; corners, objects and number of the patches that were found.
Search = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]


class Patches(NamedTuple):
    """The patches of a frame, in the order of objects and, for each object, of `boundary_boxes`.

    corner  [P, 2] int32, first row and column of each patch; 0 for unused places
    object  [P] int32, index 0..N-1 of the object that it is for
    total   [] int32, the number of patches; those beyond P are counted and have no place
    """

    corner: jax.Array
    object: jax.Array
    total: jax.Array


def ranks(masks: jax.Array) -> jax.Array:
    """Returns `boxes.boundary_rank` of several masks: bool [N, H, W] -> int8 [N, H, W].

    ranks(labels == jnp.arange(1, 4)[:, None, None])
    """
    padded = jnp.pad(masks.astype(jnp.int8), ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    total = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    return jnp.minimum(total, 9 - total)


def find_patches(
    labels: jax.Array,
    wanted: jax.Array,
    *,
    threshold: float,
    places: int,
    patch: int = PATCH,
    reference_edges: bool = False,
) -> Patches:
    """Finds the patches along the boundaries of several objects.

        patches = find_patches(probs.argmax(0), jnp.ones(3, bool), threshold=0.25, places=128)

    Args:
        labels: int32 [H, W] of slots 1..N, 0 the background; H and W are at least `patch`.
        wanted: bool [N], the objects whose patches are looked for.
        threshold: as for `boxes.boundary_boxes`.
        places: the number P of places.
        patch: side of a patch in pixels.
        reference_edges: as for `boxes.boundary_boxes`.

    Returns:
        The patches: box for box those of `boundary_boxes`.
    """
    height, width = labels.shape
    reach = patch - 1
    square = jnp.asarray(suppressed(patch, threshold))

    def best_of_rows(rank: jax.Array) -> jax.Array:
        return rank.max(1)

    def step(carry: Search, number: jax.Array) -> Search:
        rank, best, centre, owner, count = carry
        row = jnp.argmax(best).astype(jnp.int32)
        column = jnp.argmax(rank[row]).astype(jnp.int32)
        centre = centre.at[count].set(jnp.stack([row, column]) - reach, mode="drop")
        owner = owner.at[count].set(number, mode="drop")
        corner = row - reach, column - reach
        window = jax.lax.dynamic_slice(rank, corner, square.shape)
        rank = jax.lax.dynamic_update_slice(rank, jnp.where(square, 0, window), corner)
        rows = jax.lax.dynamic_slice(rank, (corner[0], 0), (square.shape[0], rank.shape[1]))
        best = jax.lax.dynamic_update_slice(best, best_of_rows(rows), corner[:1])
        return rank, best, centre, owner, count + 1

    def search(
        number: jax.Array, carry: tuple[jax.Array, jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        def run() -> tuple[jax.Array, jax.Array, jax.Array]:
            rank = jnp.pad(ranks((labels == number + 1)[None])[0], reach)
            start = (rank, best_of_rows(rank), *carry)
            end = jax.lax.while_loop(
                lambda carry: carry[1].max() > 0, functools.partial(step, number=number), start
            )
            return end[2:]

        result: tuple[jax.Array, jax.Array, jax.Array] = jax.lax.cond(
            wanted[number], run, lambda: carry
        )
        return result

    room = jnp.zeros((places, 2), jnp.int32), jnp.zeros(places, jnp.int32), jnp.int32(0)
    centre, owner, count = jax.lax.fori_loop(0, wanted.shape[0], search, room)
    corner = centre - patch // 2
    size = jnp.array([height, width], jnp.int32)
    last = size - patch - reference_edges
    beyond = corner + patch >= size if reference_edges else corner > last
    corner = jnp.where(corner < 0, 0, jnp.where(beyond, last, corner))
    used = jnp.arange(places) < count
    return Patches(jnp.where(used[:, None], corner, 0), jnp.where(used, owner, 0), count)
