"""Probabilities to labels and scores as one kernel for TPUs, which writes no maps.

A step of the kernel takes a band of rows of the user's frame. It fetches the rows of all slots'
probabilities around it, at the network's size, resizes them by a matrix product for each axis, lays
the prompt over them and keeps of every pixel the label, and of every slot three sums. So the
probabilities are read once, and nothing of all slots is written at the user's size.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from vosjax.layers.resize import bilinear_matrix
from vosjax.prompt import NOTHING
from vosjax.tracking.label_bands import LANES, ROWS, SUBLANES, Bands, bands_of
from vosjax.types import Array, Prompt


def label_kernel(
    probs: jax.Array,
    prompt: Prompt | None,
    ids: Array,
    *,
    size: tuple[int, int],
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Computes `labels.labels_at`, with the same arguments, on a TPU.

        labels, object_stats = label_kernel(probs, prompt, ids, size=(480, 854))

    Args:
        probs: float32 [N+1, h, w] at the network's size, without the prompt.
        prompt: labels [H, W] and given [N], or None.
        ids: [N+1], the id in each slot.
        size: (H, W) of the user's frames.
        interpret: whether the kernel is interpreted, on any platform, which is for tests.

    Returns:
        Labels [H, W] of ids, and object stats float32 [N, 3], as `labels.to_labels`.
    """
    slots, (height, width) = probs.shape[0], size
    bands = bands_of(probs.shape, size)
    count, tiles = -(-height // ROWS), -(-width // bands.columns)
    blocks = -(-probs.shape[1] // bands.rows)
    scalars = [jnp.asarray(bands.first), jnp.asarray(ids).astype(jnp.int32)]
    marks: list[jax.Array] = []
    if prompt is not None:
        given = jnp.asarray(prompt.given).astype(jnp.int32)
        scalars.append(jnp.concatenate([given.max(keepdims=True), given]))
        marks.append(jnp.asarray(prompt.labels).astype(jnp.int32))
    around = (slots, bands.rows, probs.shape[2])

    def block(step: int) -> pl.BlockSpec:
        def at(tile: Any, band: Any, first: Any, *rest: Any) -> Any:
            return 0, jnp.minimum(first[band] + step, blocks - 1), 0

        return pl.BlockSpec(around, at)

    def band_of(tile: Any, band: Any, *rest: Any) -> Any:
        return band, tile

    columns = np.zeros((probs.shape[2], tiles * bands.columns), np.float32)
    columns[:, :width] = bilinear_matrix(probs.shape[2], width).T
    if probs.shape[2] == width:
        columns = columns[:SUBLANES]  # which nothing reads
    spec = pltpu.PrefetchScalarGridSpec(
        num_scalar_prefetch=len(scalars),
        grid=(tiles, count),
        in_specs=[
            block(0),
            block(1),
            pl.BlockSpec((1, ROWS, 2 * bands.rows), lambda tile, band, *rest: (band, 0, 0)),
            pl.BlockSpec((len(columns), bands.columns), lambda tile, band, *rest: (0, tile)),
            *[pl.BlockSpec((ROWS, bands.columns), band_of) for _ in marks],
        ],
        out_specs=[
            pl.BlockSpec((ROWS, bands.columns), band_of),
            pl.BlockSpec((3, -(-slots // 8) * 8, LANES), lambda tile, band, *rest: (0, 0, 0)),
        ],
    )
    passes = 6  # of a product of float32 in full precision
    labels, sums = pl.pallas_call(
        functools.partial(
            _kernel, bands=bands, shape=(probs.shape[1], *size), marked=len(marks) > 0
        ),
        grid_spec=spec,
        out_shape=[
            jax.ShapeDtypeStruct(size, jnp.int32),
            jax.ShapeDtypeStruct((3, -(-slots // 8) * 8, LANES), jnp.float32),
        ],
        compiler_params=pltpu.CompilerParams(dimension_semantics=("arbitrary", "arbitrary")),
        cost_estimate=pl.CostEstimate(
            flops=2 * passes * slots * count * ROWS * columns.size,
            transcendentals=0,
            bytes_accessed=int(
                4 * (probs.size * tiles * bands.refetched + columns.size + 2 * height * width)
            ),
        ),
        interpret=interpret,
        name="to_labels",
    )(
        *scalars,
        probs,
        probs,
        jnp.asarray(bands.weights),
        jnp.asarray(columns),
        *marks,
    )
    area, best, margin = sums[:, 1:slots, 0]
    means = [total / jnp.maximum(area, 1) for total in (best, margin)]
    return labels.astype(jnp.asarray(ids).dtype), jnp.stack([*means, area], 1)


def _kernel(
    first: Any,
    ids: Any,
    *rest: Any,
    bands: Bands,
    shape: tuple[int, int, int],
    marked: bool,
) -> None:
    """Labels a band of rows.

    `rest` are whether anything is marked and which slots are, if there is a prompt; the two blocks
    [N+1, rows, w] around the band, its weights, those of the columns, and the prompt's labels if
    any; and the results.
    """
    given, rest = (rest[:1], rest[1:]) if marked else ((), rest)
    upper, lower, rows, columns, *marks, labels, sums = rest
    tile, band = pl.program_id(0), pl.program_id(1)
    slots, (source_height, height, width) = upper.shape[0], shape

    @pl.when((tile == 0) & (band == 0))
    def _start() -> None:
        sums[...] = jnp.zeros_like(sums)

    begin = first[band] * bands.rows
    line = begin + jax.lax.broadcasted_iota(jnp.int32, (2 * bands.rows, upper.shape[2]), 0)

    def narrowed(slot: int) -> jax.Array:
        """Returns the rows [ROWS, w] of a slot that the band has."""
        around = jnp.concatenate([upper[slot], lower[slot]], 0)
        # What is read past the end may be NaN.
        return _product(rows[0], jnp.where(line < source_height, around, 0))

    maps = jnp.concatenate([narrowed(slot) for slot in range(slots)], 0)
    if maps.shape[1] != width:
        maps = _product(maps, columns[...])
    probs = [maps[slot * ROWS : (slot + 1) * ROWS] for slot in range(slots)]
    if marked:
        probs = with_prompt(probs, marks[0][...], given[0])

    best, second = probs[0], jnp.zeros_like(probs[0])
    winner = jnp.zeros(best.shape, jnp.int32)
    named = jnp.zeros(best.shape, jnp.int32) + ids[0]
    for slot in range(1, slots):
        better = probs[slot] > best
        second = jnp.where(better, best, jnp.maximum(second, probs[slot]))
        best = jnp.where(better, probs[slot], best)
        winner = jnp.where(better, slot, winner)
        named = jnp.where(better, ids[slot], named)
    labels[...] = named

    y = band * ROWS + jax.lax.broadcasted_iota(jnp.int32, best.shape, 0)
    x = tile * bands.columns + jax.lax.broadcasted_iota(jnp.int32, best.shape, 1)
    winner = jnp.where((y < height) & (x < width), winner, 0)
    for slot in range(1, slots):
        inside = winner == slot
        for place, value in enumerate((jnp.ones_like(best), best, best - second)):
            total = jnp.where(inside, value, 0).sum(keepdims=True)
            sums[place, slot : slot + 1] += jnp.broadcast_to(total, (1, LANES))


def with_prompt(probs: list[jax.Array], marks: jax.Array, given: Any) -> list[jax.Array]:
    """Lays a prompt over the maps of all slots, as `prompt.apply_prompt` does, inside of a kernel.

        probs = with_prompt(probs, marks, given)

    Args:
        probs: the maps of all slots.
        marks: labels of the same size.
        given: int32 [N+1] among the kernel's scalars: whether anything is given, and which slots.
    """
    unmarked = (marks == 0).astype(jnp.float32)
    marked = [probs[0] * unmarked]
    for slot in range(1, len(probs)):
        own = (marks == slot).astype(jnp.float32)
        marked.append(jnp.where(given[slot] > 0, own, probs[slot] * unmarked))
    total = functools.reduce(jnp.add, marked)
    empty = total < NOTHING
    marked = [x / jnp.where(empty, 1, total) for x in marked]
    marked[0] = jnp.where(empty, 1, marked[0])
    return [jnp.where(given[0] > 0, after, before) for before, after in zip(probs, marked)]


def _product(left: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.dot(
        left, right, precision=jax.lax.Precision.HIGHEST, preferred_element_type=jnp.float32
    )
