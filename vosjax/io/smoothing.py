"""Tells masks with smoothed edges (anti-aliased, interpolated, JPEG) from sharp ones.

Read by its values, a smoothed mask would have a new object in every shade of an edge. Two kinds of
values reveal it, both too thin for objects:

- a *blend* lies between two other values in colour, and between their areas in the picture;
- a *residue* of lossy compression has almost the colour of the solid area around it.
"""

from typing import NamedTuple

import cv2
import numpy as np

from vosjax.errors import InputError

MAX_COLOURS = 64  # more distinct colours or greys are not objects but shades
THIN = 0.05  # at most this part of a smoothed edge's pixels are centres of filled 3x3 squares
NEAR = 4  # pixels; smoothed edges are hardly wider on either side
APART = 32  # levels between two values that may be blended; neighbouring ids are closer
CLOSE = 3  # levels by which a residue may differ
BRIGHT = 32  # darker greys are numbers of objects, and neighbouring numbers are not residues
SAMPLE = 2000  # pixels of a value whose surroundings are examined
ENOUGH = 3  # so many blends or residues do not occur by chance


class _Values(NamedTuple):
    """The V distinct values of a mask, in ascending order.

    numbers  int [V], as in the mask
    points   float [V, C], their grey or colour
    index    int32 [H + 2 NEAR, W + 2 NEAR], the value of each pixel, and V around the mask
    solid    bool [V], which values fill 3x3 squares
    """

    numbers: np.ndarray
    points: np.ndarray
    index: np.ndarray  # type: ignore[assignment]  # hides `tuple.index`
    solid: np.ndarray


def smoothed(name: str, what: str) -> InputError:
    """Returns the error that refuses a smoothed mask.

        error = smoothed("mask first.png", "80 distinct values")

    Args:
        name: what the message calls the mask.
        what: what reveals it.
    """
    return InputError(
        f"{name} is anti-aliased or stored with loss: {what}, where every object should have one "
        "value; draw it without smoothing, resize it with nearest neighbour and store it as PNG "
        f"(more than {MAX_COLOURS} objects: as palette PNG or as integer .npy of 16 bits)"
    )


def check_sharp(
    labels: np.ndarray, *, name: str, colours: bool, most: int | None = MAX_COLOURS
) -> int:
    """Refuses a mask that has shades between its objects.

        check_sharp(grey, name="mask first.png", colours=False)

    Args:
        labels: integers [H, W], greys 0..255 or packed colours r << 16 | g << 8 | b.
        name: what the message calls the mask.
        colours: whether `labels` are packed colours.
        most: the largest number of distinct values. None allows any number, but if there are more
            than 64, at least half of them must be solid.

    Returns:
        How many values are blends or residues: 0, or one or two, which may be thin objects as well.

    Raises:
        InputError: there are too many distinct values; three are blends or residues; or one
            certainly is, because it lies between the black and white of a binary mask. Interpolated
            grey ids less than 32 apart cannot be told from other ids, and pass.
    """
    values = _values(labels, colours)
    count = len(values.numbers)
    shades = count > MAX_COLOURS and values.solid.mean() < 0.5
    if shades if most is None else count > most:
        raise smoothed(name, f"{count} distinct values")
    white = 0xFFFFFF if colours else 0xFF
    doubtful, sure = 0, False
    for value in np.flatnonzero(~values.solid).tolist():
        is_blend, is_sure = _judge(values, value, white)
        doubtful, sure = doubtful + is_blend, sure or is_sure
    if doubtful >= ENOUGH or sure:
        raise smoothed(name, f"{doubtful} of {count} values only blend their neighbours")
    return doubtful


def _values(labels: np.ndarray, colours: bool) -> _Values:
    numbers = np.unique(labels)
    index = np.searchsorted(numbers, labels).astype(np.uint16)
    shifts = (16, 8, 0) if colours else (0,)
    points = np.stack([numbers.astype(np.int64) >> shift & 255 for shift in shifts], 1)
    square = np.ones((3, 3), np.uint8)
    filled = cv2.erode(index, square) == cv2.dilate(index, square)
    inner = np.zeros_like(filled)
    inner[1:-1, 1:-1] = filled[1:-1, 1:-1]
    areas = np.bincount(index.reshape(-1), minlength=len(numbers))
    solid = np.bincount(index[inner], minlength=len(numbers)) > THIN * areas
    padded = np.pad(index.astype(np.int32), NEAR, constant_values=len(numbers))
    return _Values(numbers, points.astype(float), padded, solid)


def _judge(values: _Values, value: int, white: int) -> tuple[bool, bool]:
    """Returns whether a thin value is a blend or a residue, and whether that is certain.

    Most pixels of a blend are near both of the values between which it lies. These values are
    solid, or one is white, of which little may be left in the middle of small objects (it may be
    thin void, too).
    """
    point = values.points[value]
    near = _surroundings(values, value)
    ends = np.flatnonzero(values.solid | (values.numbers == white))
    first, second = (ends[corner] for corner in np.triu_indices(len(ends), 1))
    between = _between(point, values.points[first], values.points[second])
    first, second = first[between], second[between]
    both = (near[:, first] & near[:, second]).mean(0) > 0.5
    black_white = (values.numbers[first] == 0) & (values.numbers[second] == white)
    sure = both & black_white & values.solid[first] & values.solid[second]

    far = np.abs(values.points - point).max(1)
    alike = values.solid & (far <= CLOSE) & (values.points.max(1) >= BRIGHT)
    residue = (near[:, alike].mean(0) > 0.5).any()
    pure = (values.numbers == white) & alike & (values.numbers[0] == 0)
    sure_residue = residue and pure.any()
    return bool(both.any() or residue), bool(sure.any() or sure_residue)


def _surroundings(values: _Values, value: int) -> np.ndarray:
    """Returns bool [n, V]: which values occur within `NEAR` of n pixels of a value."""
    ys, xs = np.nonzero(values.index == value)
    step = -(-len(ys) // SAMPLE)
    ys, xs = ys[::step], xs[::step]
    dy, dx = np.indices((2 * NEAR + 1,) * 2).reshape(2, -1) - NEAR
    windows = values.index[ys[:, None] + dy, xs[:, None] + dx]
    near = np.zeros((len(ys), len(values.numbers) + 1), bool)
    near[np.arange(len(ys))[:, None], windows] = True
    return near[:, :-1]


def _between(point: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns bool [n]: whether a colour [C] lies between a and b [n, C], but for rounding."""
    way = b - a
    length = np.maximum((way * way).sum(1), 1)
    t = ((point - a) * way).sum(1) / length
    off = np.abs(a + t[:, None] * way - point).max(1, initial=0)
    return (np.abs(way).max(1, initial=0) >= APART) & (t > 0.02) & (t < 0.98) & (off <= 2)
