"""Tells masks with smoothed edges (anti-aliased, resized with interpolation, JPEG) from sharp ones.

Taken by its values such a mask would hold a new object in every shade of an edge.
"""

import cv2
import numpy as np

from vosjax.errors import InputError

MAX_COLOURS = 64  # more distinct colours or greys than that are no objects but shades
THIN = 0.05  # of a value's pixels, at most, have their 3x3 square filled by a smoothed edge
NEAR = 4  # pixels; a smoothed edge is hardly wider on either side
APART = 32  # levels between two values that can have a blend; neighbouring ids have none


def smoothed(name: str, what: str) -> InputError:
    """The error that refuses a smoothed mask."""
    return InputError(
        f"{name} is anti-aliased or stored with loss: {what}, where every object should have one "
        "value; draw it without smoothing, resize it with nearest neighbour and store it as PNG "
        f"(more than {MAX_COLOURS} objects: as palette PNG or as integer .npy of 16 bits)"
    )


def check_sharp(labels: np.ndarray, *, name: str, colours: bool):
    """Refuses a mask that holds shades between its objects.

    Args:
        labels: int [H, W], greys 0..255 or packed colours r << 16 | g << 8 | b.
        name: what the message calls the mask.
        colours: whether `labels` are packed colours.

    Raises:
        InputError: more than 64 distinct values; or three values that only blend their neighbours;
            or one that blends the black and white of a binary mask. Grey ids less than 32 apart
            that were interpolated cannot be told from other ids, and pass.
    """
    values = np.unique(labels)
    if len(values) > MAX_COLOURS:
        raise smoothed(name, f"{len(values)} distinct values")
    white = 0xFFFFFF if colours else 0xFF
    found, sure = _blends(labels, values, colours, white)
    if found >= 3 or sure:
        raise smoothed(name, f"{found} of {len(values)} values only blend their neighbours")


def _blends(labels, values, colours: bool, white: int) -> tuple[int, bool]:
    """How many values are blends, and whether one is for sure: between areas of black and white.

    A blend hardly fills a 3x3 square, and most of its pixels are near both of the values that it
    lies between. These do fill squares; white may also be left over in the middle of small
    objects, though it may be thin void as well.
    """
    index = np.searchsorted(values, labels)
    square, window = np.ones((3, 3), np.uint8), np.ones((2 * NEAR + 1,) * 2, np.uint8)
    layers = [(index == i).astype(np.uint8) for i in range(len(values))]
    solid = [
        cv2.erode(layer, square, borderType=cv2.BORDER_CONSTANT, borderValue=0).sum()
        > THIN * layer.sum()
        for layer in layers
    ]
    near = {
        i: cv2.dilate(layers[i], window)
        for i in range(len(values))
        if solid[i] or values[i] == white
    }
    pairs = [(a, b) for a in near for b in near if a < b]
    shifts = (16, 8, 0) if colours else (0,)
    points = np.stack([values >> shift & 255 for shift in shifts], 1).astype(float)
    found, sure = 0, False
    for i in range(len(values)):
        if solid[i]:
            continue
        here = layers[i].astype(bool)
        for a, b in pairs:
            if _between(points[i], points[a], points[b]) and (near[a] & near[b])[here].mean() > 0.5:
                found += 1
                sure |= values[a] == 0 and values[b] == white and solid[a] and solid[b]
                break
    return found, bool(sure)


def _between(point: np.ndarray, a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a colour lies on the way from a to b, off by rounding at most."""
    way = b - a
    if np.abs(way).max() < APART:
        return False
    t = float((point - a) @ way / (way @ way))
    return 0.02 < t < 0.98 and float(np.abs(a + t * way - point).max()) <= 2
