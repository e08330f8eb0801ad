"""The path of a crop through a clip: one side for all frames, and smooth origins inside them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.refine.zoom.choose import SHORTEST, scale
from vosjax.refine.zoom.moments import centre_of

MARGIN = 4  # sides of the object in a side of the crop
PERCENTILE = 95  # of the object's sizes in the clip, of which the crop is a multiple
SMALLEST = 96  # pixels of the crop's side, at a short side of 480 pixels
HELD = 1.5  # by which the box is enlarged that every crop has to hold
WIDENED = 2  # by which the side may grow for two boxes that disagree
VARIES = 2  # a clip is split where the object's size has changed by this factor
MEDIAN = 5  # frames of the median filter
SIGMA = 2  # frames of the Gaussian filter

Floats = npt.NDArray[np.float64]


class Path(NamedTuple):
    """Where a clip's crops lie.

    side     of all crops, in pixels of the frame
    origins  int32 [T, 2], x and y of the upper left corners; the crops lie inside the frame
    inside   bool [T], whether the object's centre is inside the frame at all
    """

    side: int
    origins: npt.NDArray[np.int32]
    inside: npt.NDArray[np.bool_]


def crop_path(boxes: Any, held: Any, confidence: Any, size: tuple[int, int]) -> Path:
    """Plans the crops of a clip.

        path = crop_path(boxes, boxes, confidence=np.ones(len(boxes)), size=(480, 854))

    The side is that of `crop_side`, or up to twice that where more than 5 % of the frames have
    larger boxes to hold. The centres are smoothed by `smooth`; where a crop then does not hold its
    box, enlarged 1.5 times, it is moved to the nearest place that does. A box to hold that is
    larger than the crop gives way to the object's.

    Args:
        boxes: [T, 4] (x, y, w, h), the object in every frame.
        held: [T, 4], what each crop has to hold; the object's box, or a larger one around it.
        confidence: [T], 0..1.
        size: (H, W) of the frame.
    """
    boxes, held = np.asarray(boxes, np.float64), np.asarray(held, np.float64)
    side = _side_for_all(boxes, held, size)
    held = np.where(held[:, 2:].max(1, keepdims=True) <= side, held, boxes)
    middle = smooth(centre_of(boxes), confidence)
    room = np.maximum(side - HELD * held[:, 2:], 0) / 2
    middle = np.clip(middle, centre_of(held) - room, centre_of(held) + room)
    frame = np.array(size[::-1])
    origins = np.clip(np.rint(middle - side / 2), 0, np.maximum(frame - side, 0))
    centre = centre_of(boxes)
    inside = ((centre >= 0) & (centre < frame)).all(1)
    return Path(side, origins.astype(np.int32), np.asarray(inside))


def crop_side(boxes: Any, size: tuple[int, int]) -> int:
    """Returns the side of a clip's crops: four times the object's, within the frame.

        crop_side([[10, 10, 30, 20]], size=(480, 854))      # 120

    The object's side is the 95th percentile of the longer side of its boxes. The crop's is at least
    96 pixels of a frame with a short side of 480 pixels, and at most the frame's short side.

    Args:
        boxes: [T, 4] (x, y, w, h).
        size: (H, W) of the frame.
    """
    longer = np.percentile(np.asarray(boxes, np.float64)[:, 2:].max(1), PERCENTILE)
    return int(np.clip(np.ceil(MARGIN * longer), np.ceil(SMALLEST * scale(size)), min(size)))


def _side_for_all(boxes: Floats, held: Floats, size: tuple[int, int]) -> int:
    """The side of crops that hold more than the object in some frames, see `crop_path`."""
    side = crop_side(boxes, size)
    wanted = np.ceil(np.percentile(held[:, 2:].max(1), PERCENTILE))
    return int(np.clip(wanted, side, min(WIDENED * side, *size)))


def smooth(centres: Any, confidence: Any) -> Floats:
    """Smooths a path: a median over five frames, then a Gaussian of two frames' deviation.

        middle = smooth(centres, confidence)

    Both filters look ahead, and weigh every frame by its confidence. Frames that have no confident
    neighbour keep their place.

    Args:
        centres: [T, 2].
        confidence: [T], 0..1.

    Returns:
        [T, 2].
    """
    centres = np.asarray(centres, np.float64)
    weights = np.asarray(confidence, np.float64)
    times = np.arange(len(centres))
    steady = centres.copy()
    for time in times:
        near = np.abs(times - time) <= MEDIAN // 2
        if weights[near].any():
            steady[time] = _weighted_median(centres[near], weights[near])
    kernel = np.exp(-0.5 * ((times[:, None] - times) / SIGMA) ** 2)
    kernel *= np.abs(times[:, None] - times) <= 3 * SIGMA
    kernel *= weights
    total = kernel.sum(1, keepdims=True)
    return np.where(total > 0, kernel @ steady / np.where(total > 0, total, 1), steady)


def split_by_size(boxes: Any) -> list[tuple[int, int]]:
    """Splits a clip where an object has become twice as large or small as it was in its part.

        split_by_size(boxes)      # [(0, 31), (31, 60)]

    Args:
        boxes: [T, 4] (x, y, w, h).

    Returns:
        Pairs (start, stop), which together are the clip; of at least five frames if it has as many.
    """
    longer = np.asarray(boxes, np.float64)[:, 2:].max(1)
    half = MEDIAN // 2
    longer = np.array(
        [np.median(longer[max(time - half, 0) : time + half + 1]) for time in range(len(longer))]
    )
    cuts = [0]
    for time in range(len(longer)):
        part = longer[cuts[-1] : time + 1]
        room = time - cuts[-1] >= SHORTEST and len(longer) - time >= SHORTEST
        if room and part.max() > VARIES * part.min():
            cuts.append(time)
    return list(zip(cuts, [*cuts[1:], len(longer)]))


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """The weighted median of values [K, D], for each dimension; the lower one of two."""
    order = np.argsort(values, 0, kind="stable")
    shares = np.cumsum(weights[order], 0) / weights.sum()
    middle = (shares >= 0.5 - 1e-9).argmax(0)
    return np.take_along_axis(values, order, 0)[middle, np.arange(values.shape[1])]
