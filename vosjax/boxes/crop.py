"""Square crops of a frame at one size, and boxes in their pixels.

A position is (row, column) in pixel indices, so that the middle of pixel i is i; boxes are (x, y,
w, h) with the upper left corner, where pixel i covers i to i + 1. The crop is that of pytracking
with whole numbers for its borders: every n-th pixel of a large region, then bilinear resizing.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from vosjax.types import Size


class Window(NamedTuple):
    """A square region of a frame; whatever lies beyond the frame repeats its border.

    start   int32 [2], first row and column of the region, in steps from `offset`
    offset  int32 [2], first row and column of the frame's pixels that are used
    step    int32, every `step`-th pixel of the frame is used
    length  int32, the number of these pixels along a side
    """

    start: jax.Array
    offset: jax.Array
    step: jax.Array
    length: jax.Array


class CropPlace(NamedTuple):
    """Where a crop was taken: `middle` float32 [2], and float32 pixels of the frame per pixel."""

    middle: jax.Array
    scale: jax.Array


def window_at(position: jax.Array, scale: jax.Array, side: int) -> Window:
    """Chooses the region of a crop.

        window = window_at(jnp.array([75.4, 100.6]), jnp.float32(0.4), 96)      # 38 pixels

    Args:
        position: float32 [2], (row, column) of its middle.
        scale: pixels of the frame per pixel of the crop; from 2.1 on, pixels are left out.
        side: side of the crop in pixels.
    """
    step = jnp.maximum((scale - 0.1).astype(jnp.int32), 1)
    whole = position.astype(jnp.int32)
    offset = whole % step
    length = jnp.maximum(jnp.round(side * scale / step).astype(jnp.int32), 2)
    return Window((whole - offset) // step - (length - 1) // 2, offset, step, length)


def place_of(window: Window, side: int) -> CropPlace:
    """Returns the place of a crop with `side` pixels: the true one, after rounding.

    place = place_of(window, 96)
    """
    first = window.offset + window.step * window.start
    middle = first + window.step * (window.length - 1) / 2
    return CropPlace(middle.astype(jnp.float32), window.step * window.length / jnp.float32(side))


def cut(frame: jax.Array, window: Window, side: int) -> jax.Array:
    """Takes a crop out of a frame.

        crop = cut(frame, window, 96)

    Args:
        frame: uint8 or float [H, W, C].
        window: the region.
        side: side of the crop in pixels.

    Returns:
        float32 [side, side, C] in the frame's range.
    """

    def taps(axis: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Returns two pixels of the frame for every pixel of the crop, and the second's share."""
        at = (jnp.arange(side) + 0.5) * window.length / side - 0.5
        at = jnp.clip(at, 0, window.length - 1)
        first = jnp.floor(at).astype(jnp.int32)
        pixels = (frame.shape[axis] - window.offset[axis] + window.step - 1) // window.step

        def index(tap: jax.Array) -> jax.Array:
            inside = jnp.clip(window.start[axis] + tap, 0, pixels - 1)
            return window.offset[axis] + window.step * inside

        return index(first), index(jnp.minimum(first + 1, window.length - 1)), at - first

    upper, lower, down = taps(0)
    left, right, across = taps(1)
    rows = _mixed(frame[upper], frame[lower], down[:, None, None])
    return _mixed(rows[:, left], rows[:, right], across[None, :, None])


def _mixed(a: jax.Array, b: jax.Array, share: jax.Array) -> jax.Array:
    return (1 - share) * a.astype(jnp.float32) + share * b.astype(jnp.float32)


def box_in_crop(position: jax.Array, size: jax.Array, place: CropPlace, side: int) -> jax.Array:
    """Converts an object's position and size in the frame to its box in a crop.

        box = box_in_crop(position, size, place, 288)

    Args:
        position: float32 [2], (row, column) of its middle.
        size: float32 [2], (height, width).
        place: where the crop was taken.
        side: side of the crop in pixels.

    Returns:
        float32 [4], (x, y, w, h) in pixels of the crop.
    """
    middle = (position - place.middle) / place.scale + side / 2
    size = size / place.scale
    return jnp.concatenate([(middle - size / 2)[::-1], size[::-1]])


def box_in_frame(box: jax.Array, place: CropPlace, side: int) -> tuple[jax.Array, jax.Array]:
    """Returns the position and the size in the frame of a box in a crop: undoes `box_in_crop`.

    position, size = box_in_frame(box, place, 288)
    """
    size = box[:1:-1]
    middle = box[1::-1] + size / 2
    return place.middle + (middle - side / 2) * place.scale, size * place.scale


def to_box(position: jax.Array, size: jax.Array) -> jax.Array:
    """Converts a position and a size to the box (x, y, w, h).

    to_box(jnp.array([4.5, 9.5]), jnp.array([10.0, 20.0]))      # [0, 0, 20, 10]
    """
    return jnp.concatenate([(position + 0.5 - size / 2)[::-1], size[::-1]])


def from_box(box: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Converts a box (x, y, w, h) to its position and size.

    position, size = from_box(jnp.array([0.0, 0.0, 20.0, 10.0]))      # [4.5, 9.5], [10, 20]
    """
    size = box[:1:-1]
    return box[1::-1] + size / 2 - 0.5, size


def box_of_mask(mask: jax.Array) -> jax.Array:
    """Returns the box around a mask's pixels, which `BoxTracker.correct` takes.

        state = tracker.correct(state, box_of_mask(labels == 3))

    Args:
        mask: bool [H, W].

    Returns:
        float32 [4], (x, y, w, h); all zeros for an empty mask.
    """

    def span(used: jax.Array) -> tuple[jax.Array, jax.Array]:
        first = jnp.argmax(used)
        return first, used.shape[0] - jnp.argmax(used[::-1]) - first

    (y, height), (x, width) = span(mask.any(1)), span(mask.any(0))
    return jnp.where(mask.any(), jnp.stack([x, y, width, height]), 0).astype(jnp.float32)


def stays_inside(position: jax.Array, size: jax.Array, frame: Size) -> jax.Array:
    """Moves a position so that a fifth of the object is inside of the frame along each axis.

    position = stays_inside(position, size, Size(480, 854))
    """
    beyond = 0.3 * size
    limit = jnp.array([frame.height, frame.width], jnp.float32)
    return jnp.clip(position, -beyond, limit + beyond)
