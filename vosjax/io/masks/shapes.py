"""Draws the shapes of annotation files: polygons, circles, and COCO's run lengths.

Polygons are filled exactly like pycocotools fills them, since networks were trained and scored on
that (T.-Y. Lin et al., "Microsoft COCO", arXiv 1405.0312; its `maskApi`). So the reader does not
need that package, and gives the same mask with and without it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

FINE = 5  # outlines are traced on a grid that is so many times finer than the pixels
MIDDLE = FINE // 2  # the fine column in which a pixel's centre lies
LONGEST = 2**24  # steps of one outline on the fine grid
BITS = 60  # of a compressed number, at most


def points(numbers: Sequence[float]) -> np.ndarray:
    """Converts numbers x0, y0, x1, y1, ... to float [K, 2].

        points([1, 1, 9, 1, 9, 7])

    Raises:
        ValueError: the numbers are not all finite numbers, or their count is odd.
    """
    if len(numbers) % 2 or not all(type(number) in (int, float) for number in numbers):
        raise ValueError("points that are no pairs of numbers")
    pairs = np.array(numbers, float).reshape(-1, 2)
    if not np.isfinite(pairs).all():
        raise ValueError("points that are no pairs of numbers")
    return pairs


def fill_polygon(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fills an outline by the even-odd rule.

        fill_polygon(np.array([[1, 1], [9, 1], [9, 7], [1, 7]]), (10, 12))

    Args:
        points: float [K, 2] of x, y in pixels; (0, 0) is the outer corner of the first pixel. The
            last point is joined to the first.
        size: (H, W) of the mask.

    Returns:
        bool [H, W]; all False for fewer than three points.

    Raises:
        ValueError: a point is not finite, or lies far outside.
    """
    height, width = size
    points = np.asarray(points, float).reshape(-1, 2)
    if len(points) < 3:
        return np.zeros(size, bool)
    if not (np.abs(points) < 1e6).all():
        raise ValueError("a point of an outline lies far outside of the image or is no number")
    corners = (FINE * points + 0.5).astype(np.int64)  # truncated towards zero
    following = np.roll(corners, -1, axis=0)
    if np.abs(following - corners).max(1).sum() > LONGEST:
        raise ValueError("an outline goes far outside of the image")
    walk = np.concatenate([_line(a, b) for a, b in zip(corners, following)])
    # Where the outline enters or leaves the right half of a pixel column, everything below flips.
    left, upper = np.minimum(walk[:-1], walk[1:]).T
    flips = (walk[:-1, 0] != walk[1:, 0]) & (left % FINE == MIDDLE)
    columns = left // FINE
    flips &= (columns >= 0) & (columns < width)
    rows = np.clip(-((MIDDLE - upper) // FINE), 0, height)
    crossings = np.zeros((height + 1, width), np.int64)
    np.add.at(crossings, (rows[flips], columns[flips]), 1)
    return np.cumsum(crossings, axis=0)[:height] % 2 == 1


def fill_circle(centre: np.ndarray, radius: float, size: tuple[int, int]) -> np.ndarray:
    """Returns bool [H, W]: the pixels whose centre is at most `radius` pixels from `centre` (x, y).

    fill_circle(np.array([6.0, 4.0]), 3.0, (10, 12))
    """
    ys, xs = np.ogrid[: size[0], : size[1]]
    return (xs + 0.5 - centre[0]) ** 2 + (ys + 0.5 - centre[1]) ** 2 <= radius**2


def expand_runs(counts: Any, size: tuple[int, int]) -> np.ndarray:
    """Expands run lengths, which go along columns and begin with the background, to a mask.

        expand_runs([6, 1, 5], (3, 4))

    Args:
        counts: the lengths, or COCO's compressed string of them.
        size: (H, W) of the mask.

    Returns:
        bool [H, W].

    Raises:
        ValueError: the lengths are not whole numbers, are negative, or do not add up to H * W.
    """
    if isinstance(counts, str):
        counts = uncompress(counts)
    if not isinstance(counts, list) or not all(
        type(count) is int and 0 <= count <= size[0] * size[1] for count in counts
    ):
        raise ValueError("run lengths that are no whole numbers of pixels")
    runs = np.asarray(counts, np.int64)
    if runs.sum() != size[0] * size[1]:
        raise ValueError(f"run lengths of {runs.sum()} pixels in an image of {size[1]}x{size[0]}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(size[1], size[0]).T


def uncompress(text: str) -> list[int]:
    """Decodes the run lengths in COCO's compressed string.

        uncompress("61X13mN")  # [6, 1, 40, 4, 5]

    Each number is written in groups of five bits, lowest first, as characters from '0' on; a sixth
    bit says that more groups follow. From the fourth number on, the string holds the difference to
    the number two places before.

    Raises:
        ValueError: the string ends within a number, or has other characters.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        group = ord(letter) - ord("0")
        if not 0 <= group < 64 or shift > BITS:
            raise ValueError("compressed run lengths that are damaged")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("compressed run lengths that end inside a number")
    return counts


def _line(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Returns int [K, 2], the points from start to end in steps of one along the longer axis."""
    span = np.abs(end - start)
    axis = 0 if span[0] >= span[1] else 1
    # Always traced upwards, so that a line has the same points in both directions.
    low, high = (start, end) if start[axis] <= end[axis] else (end, start)
    steps = np.arange(span[axis] + 1)
    slope = (high[1 - axis] - low[1 - axis]) / max(span[axis], 1)
    points = np.empty((len(steps), 2), np.int64)
    points[:, axis] = low[axis] + steps
    points[:, 1 - axis] = (low[1 - axis] + slope * steps + 0.5).astype(np.int64)
    return points if low is start else points[::-1]
