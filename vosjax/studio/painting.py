"""Brush, eraser and polygon: exact pixels of a frame."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError
from vosjax.io.masks.shapes import fill_polygon

APART = 4  # pixels between clicks along a stroke, at least: a small object's has some, too

Mask = npt.NDArray[np.bool_]  # [H, W]


def brush(points: Sequence[Sequence[float]], radius: float, size: tuple[int, int]) -> Mask:
    """Returns the pixels that a round brush touches: those whose centres it covers.

        brush([(40, 30), (60, 30)], 5, (480, 854)).sum()

    Args:
        points: (x, y) of the stroke in pixels; one point is a dot.
        radius: radius in pixels. A brush that is too small to reach a centre paints the pixel
            that the stroke begins in.
        size: (H, W) of the frame.

    Returns:
        bool [H, W].

    Raises:
        InputError: a point is no pair of numbers.
    """
    height, width = size
    stroke = checked_stroke(points)
    mask = np.zeros(size, bool)
    following = stroke[1:] if len(stroke) > 1 else stroke
    for start, end in zip(stroke, following):
        low = np.floor(np.minimum(start, end) - radius).astype(int)
        high = np.ceil(np.maximum(start, end) + radius).astype(int) + 1
        left, top = np.clip(low, 0, (width, height)).tolist()
        right, bottom = np.clip(high, 0, (width, height)).tolist()
        if left >= right or top >= bottom:
            continue
        across = np.arange(left, right) + 0.5 - start[0]
        down = np.arange(top, bottom)[:, None] + 0.5 - start[1]
        along = end - start
        length = float(along @ along)
        share = (across * along[0] + down * along[1]) / length if length else np.zeros(())
        share = np.clip(share, 0, 1)
        distance = (across - share * along[0]) ** 2 + (down - share * along[1]) ** 2
        mask[top:bottom, left:right] |= distance <= radius * radius
    column, row = np.floor(stroke[0]).astype(int).tolist()
    if not mask.any() and 0 <= column < width and 0 <= row < height:
        mask[row, column] = True
    return mask


def polygon(points: Sequence[Sequence[float]], size: tuple[int, int]) -> Mask:
    """Returns the pixels inside an outline, by the even-odd rule.

        polygon([(10, 10), (60, 10), (60, 40)], (480, 854)).sum()

    Args:
        points: (x, y) of the corners in pixels.
        size: (H, W) of the frame.

    Returns:
        bool [H, W].

    Raises:
        InputError: there are fewer than three corners, or one is no pair of numbers.
    """
    outline = checked_stroke(points)
    if len(outline) < 3:
        raise InputError(f"a polygon has at least 3 corners; {len(outline)} were given")
    try:
        return fill_polygon(outline, size)
    except ValueError as error:
        raise InputError(f"the polygon cannot be filled: {error}") from error


def sampled(points: Sequence[Sequence[float]], most: int) -> list[tuple[float, float]]:
    """Returns up to `most` points that lie at equal distances along a stroke.

        sampled([(0, 0), (10, 0)], 3)       # [(0.0, 0.0), (5.0, 0.0), (10.0, 0.0)]

    Raises:
        InputError: a point is no pair of numbers.
    """
    stroke = checked_stroke(points)
    lengths = np.hypot(*np.diff(stroke, axis=0).T) if len(stroke) > 1 else np.zeros(0)
    way = np.concatenate([[0.0], np.cumsum(lengths)])
    count = int(min(most, max(1, way[-1] // APART + 1)))
    at = np.linspace(0, way[-1], count) if count > 1 else np.array([way[-1] / 2])
    return [
        (float(np.interp(length, way, stroke[:, 0])), float(np.interp(length, way, stroke[:, 1])))
        for length in at
    ]


def checked_stroke(points: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    """Returns points as float [K, 2].

        checked_stroke([(40, 30)])

    Raises:
        InputError: there is none, or one is no pair of finite numbers, or lies far outside.
    """
    try:
        stroke = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("points are no pairs of numbers (x, y)") from error
    if stroke.ndim != 2 or stroke.shape[1] != 2 or not len(stroke):
        raise InputError("points are no pairs of numbers (x, y), or there is none")
    if not (np.isfinite(stroke).all() and (np.abs(stroke) < 1e5).all()):
        raise InputError("a point lies far outside of the frame, or is no number")
    return stroke
