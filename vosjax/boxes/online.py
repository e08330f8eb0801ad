"""The online tracker: one target model that is fitted to what it saw, whatever network it sees by.

`TargetNetwork` is what it needs of a network, `build` makes a `BoxTracker` of it. The samples of
the memory are kept in arrays of fixed shape, where those of weight zero do not count.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.boxes import policy
from vosjax.boxes.augment import CROPS, augmented, without_channels
from vosjax.boxes.crop import (
    CropPlace,
    box_in_crop,
    box_in_frame,
    cut,
    from_box,
    place_of,
    stays_inside,
    to_box,
    window_at,
)
from vosjax.boxes.protocol import (
    HARD_NEGATIVE,
    NORMAL,
    NOT_FOUND,
    BoxOutput,
    BoxTracker,
)
from vosjax.boxes.target_model import Samples, centres_of, correlate, equal_weights, optimise
from vosjax.types import Size

SIDE = 4  # of the filter
STRIDE = 16  # pixels of the crop per cell
SEARCH = 5.0  # side of the crop, in square roots of the object's area
FIRST = CROPS + 2  # samples of the first frame
FIRST_STEPS, STEPS, HARD_STEPS = 10, 2, 1  # of the optimiser; after a hard negative
EVERY = 20  # frames from one run of the optimiser to the next
LEAST_SIZE = 1.0  # sides of an object, in pixels


class Encoded(NamedTuple):
    """An encoded crop: what the target model sees, and what else the network needs of it.

    target  float32 [h, w, C]
    rest    any pytree
    """

    target: jax.Array
    rest: Any


class TargetNetwork(NamedTuple):
    """What the tracker needs of a network; boxes are float32 (x, y, w, h) in pixels of the crop.

    side    side S of its crops in pixels
    precise
        Whether `refine` finds the object's box. Else the place is the best score's, interpolated
        between cells, and the size remains.
    target_params(params) -> params of the target model, as of `target_model.initial_params`
    encode(params, crop) -> `Encoded`
        crop float32 [S, S, 3] RGB in 0..1.
    first_filter(params, target, boxes) -> [4, 4, C]
        From the features [n, h, w, C] of the first frame's crops, with boxes [n, 4].
    describe(params, encoded, box) -> a pytree
        What `refine` has to know of the object in the first frame.
    refine(params, encoded, description, box, rng) -> box
        The object's box near a box of about its place and its last size.
    """

    side: int
    precise: bool
    target_params: Callable[[Any], Any]
    encode: Callable[[Any, jax.Array], Encoded]
    first_filter: Callable[[Any, jax.Array, jax.Array], jax.Array]
    describe: Callable[[Any, Encoded, jax.Array], Any]
    refine: Callable[[Any, Encoded, Any, jax.Array, jax.Array], jax.Array]


class BoxState(NamedTuple):
    """What the tracker knows.

    position       float32 [2], (row, column) of the object's middle, see `crop`
    size           float32 [2], its (height, width)
    target_filter  [4, 4, C]
    samples        the memory
    used           int32, the samples in use
    latest         int32, slot of the newest one; -1 while there are only those of the first frame
    time           int32, frames since the first one
    rng            PRNG key, uint32 [2]
    description    of the object in the first frame
    """

    position: jax.Array
    size: jax.Array
    target_filter: jax.Array
    samples: Samples
    used: jax.Array
    latest: jax.Array
    time: jax.Array
    rng: jax.Array
    description: Any


@functools.lru_cache(maxsize=16)
def build(network: TargetNetwork) -> BoxTracker:
    """Makes the tracker of a network, compiled once for all frames of a size.

        tracker = build(network)
        state = tracker.init(params, frame, box)
        state, output = tracker.step(params, state, next_frame)

    Args:
        network: what the tracker sees by.
    """
    side = network.side

    def crop_of(
        frame: jax.Array, position: jax.Array, scale: jax.Array, size: int
    ) -> tuple[jax.Array, CropPlace]:
        window = window_at(position, scale, size)
        return cut(frame, window, size) / 255, place_of(window, size)

    def centres(boxes: jax.Array, cells: int) -> jax.Array:
        """Converts boxes in a crop, so that the middle of the crop is that of the score map."""
        return centres_of(boxes, SIDE, stride=STRIDE, origin=cells / 2 - side / (2 * STRIDE))

    @jax.jit
    def init(params: Any, frame: jax.Array, box: jax.Array) -> BoxState:
        position, size = from_box(jnp.asarray(box, jnp.float32))
        size = jnp.maximum(size, LEAST_SIZE)
        scale = search_scale(size, side)
        rng, shifting, *dropping = jax.random.split(jax.random.PRNGKey(0), 4)
        region, place = crop_of(frame, position, scale, 2 * side)
        crops, shifts = augmented(region, shifting)
        encoded = jax.lax.map(lambda crop: network.encode(params, crop), crops)
        first = jax.tree.map(lambda leaf: leaf[0], encoded)
        dropped = [without_channels(first.target, key) for key in dropping]
        targets = jnp.concatenate([encoded.target, jnp.stack(dropped)])
        in_crop = box_in_crop(position, size, place, side)
        moved = jnp.pad(shifts[:, ::-1], ((0, FIRST - CROPS), (0, 2)))
        boxes = in_crop + moved
        start = Samples(targets, centres(boxes, targets.shape[1]), equal_weights(FIRST))
        learned = optimise(
            network.target_params(params),
            network.first_filter(params, targets, boxes),
            start,
            FIRST_STEPS,
        )
        free = policy.SLOTS - FIRST
        memory = jax.tree.map(
            lambda leaf: jnp.pad(leaf, [(0, free)] + [(0, 0)] * (leaf.ndim - 1)), start
        )
        return BoxState(
            position,
            size,
            learned,
            memory,
            used=jnp.int32(FIRST),
            latest=jnp.int32(-1),
            time=jnp.int32(0),
            rng=rng,
            description=network.describe(params, first, in_crop),
        )

    def locate(
        params: Any, state: BoxState, encoded: Encoded, place: CropPlace, frame: Size
    ) -> tuple[jax.Array, jax.Array, policy.Peak]:
        """Returns the object's position and size, and where the scores are largest."""
        scores = correlate(encoded.target[None], state.target_filter)[0]
        cell = STRIDE * place.scale
        middle = (jnp.array(scores.shape) - 1) / 2
        previous = (state.position - place.middle) / cell + middle
        peak = policy.localise(scores, previous, state.size / cell)
        at = peak.cell.astype(jnp.float32)
        if not network.precise:
            at += policy.between_cells(scores, peak.cell)
        position = stays_inside(place.middle + (at - middle) * cell, state.size, frame)
        box = box_in_crop(position, state.size, place, side)
        rng = jax.random.fold_in(state.rng, state.time)
        refined = network.refine(params, encoded, state.description, box, rng)
        position, size = box_in_frame(refined, place, side)
        lost = peak.flag == NOT_FOUND
        size = jnp.maximum(size, LEAST_SIZE)
        return jnp.where(lost, state.position, position), jnp.where(lost, state.size, size), peak

    def learn(
        params: Any, state: BoxState, target: jax.Array, box: jax.Array, flag: jax.Array
    ) -> BoxState:
        """Remembers a frame in which the object was found, and fits the filter where it is due."""
        hard = flag == HARD_NEGATIVE
        rate = jnp.where(hard, policy.HARD_RATE, policy.LEARNING_RATE)
        samples = state.samples
        kept = policy.remember(samples.weights, state.latest, state.used, FIRST, rate)
        samples = Samples(
            samples.features.at[kept.slot].set(target),
            samples.centres.at[kept.slot].set(centres(box[None], target.shape[0])[0]),
            kept.weights,
        )
        due = jnp.where(state.time % EVERY == 0, STEPS, 0)
        learned = optimise(
            network.target_params(params),
            state.target_filter,
            samples,
            jnp.where(hard, HARD_STEPS, due),
        )
        return state._replace(
            target_filter=learned, samples=samples, used=kept.used, latest=kept.slot
        )

    @jax.jit
    def step(params: Any, state: BoxState, frame: jax.Array) -> tuple[BoxState, BoxOutput]:
        state = state._replace(time=state.time + 1)
        crop, place = crop_of(frame, state.position, search_scale(state.size, side), side)
        encoded = network.encode(params, crop)
        position, size, peak = locate(params, state, encoded, place, Size(*frame.shape[:2]))
        state = state._replace(position=position, size=size)
        box = box_in_crop(position, size, place, side)
        certain = (peak.flag == NORMAL) | (peak.flag == HARD_NEGATIVE)
        state = jax.lax.cond(
            certain,
            lambda: learn(params, state, encoded.target, box, peak.flag),
            lambda: state,
        )
        return state, BoxOutput(to_box(position, size), peak.score, peak.flag)

    return BoxTracker(init, step, correct)


@jax.jit
def correct(state: BoxState, box: jax.Array) -> BoxState:
    """Takes over position and size from a box, unless a side of it is less than a pixel.

    state = correct(state, box_of_mask(labels == 3))
    """
    position, size = from_box(jnp.asarray(box, jnp.float32))
    usable = (size >= LEAST_SIZE).all()
    return state._replace(
        position=jnp.where(usable, position, state.position),
        size=jnp.where(usable, size, state.size),
    )


def search_scale(size: jax.Array, side: int) -> jax.Array:
    """Returns the pixels of the frame per pixel of the crop for an object's (height, width).

    search_scale(jnp.array([50.0, 50.0]), 288)      # 250 / 288
    """
    return SEARCH * jnp.sqrt(size[0] * size[1]) / side
