"""The box of a mask by its moments, of the parts that lie near where the object is expected."""

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Box = npt.NDArray[np.float64]  # (x, y, w, h) in pixels

SIGMAS = 4  # a filled ellipse is as wide as four standard deviations of its pixels
NEAR = 3  # expected sizes from the expected centre, within which a part belongs to the object
LEAST = 0.5  # probability of a mask's pixels


class MaskBox(NamedTuple):
    """What a mask says of an object's place.

    box          (x, y, w, h) in pixels
    area         soft area in pixels: the sum of the probabilities in the mask
    probability  their mean
    """

    box: Box
    area: float
    probability: float


def mask_box(probs: Any, expected: Any = None) -> MaskBox | None:
    """Returns the box of an object's mask, centred on its mean and four standard deviations wide.

        found = mask_box(probs[id], expected=np.array([40.0, 30.0, 12.0, 8.0]))

    The rule of LWL (`pytracking`): a soft mask's box from its first and second moments, which a few
    pixels at its edge hardly change.

    Args:
        probs: float [H, W], probabilities of the object; its mask is where they exceed one half.
        expected: (x, y, w, h), where the object is expected. Connected parts of the mask whose
            centres are farther than three times the longer side away are left out, so that a false
            part elsewhere does not pull the box along. None takes all parts.

    Returns:
        None if no part is left.
    """
    probs = np.asarray(probs, np.float32)
    mask = probs > LEAST
    if not mask.any():
        return None
    if expected is not None:
        mask = _near(mask, np.asarray(expected, np.float64))
        if not mask.any():
            return None
    rows, columns = np.nonzero(mask)
    weights = probs[rows, columns].astype(np.float64)
    total = weights.sum()
    sides, centre = [], []
    for positions in (columns + 0.5, rows + 0.5):
        mean = (weights * positions).sum() / total
        # A pixel is a unit square, whose own variance is 1/12.
        variance = (weights * (positions - mean) ** 2).sum() / total + 1 / 12
        centre.append(mean)
        sides.append(SIGMAS * np.sqrt(variance))
    return MaskBox(from_centre(centre, sides), float(total), float(total / len(rows)))


def centre_of(box: Any) -> Box:
    """Returns the centre (x, y) of a box, or of boxes [..., 4].

    centre_of([10, 20, 4, 6])      # [12, 23]
    """
    box = np.asarray(box, np.float64)
    return box[..., :2] + box[..., 2:] / 2


def from_centre(centre: Any, sides: Any) -> Box:
    """Returns the box with a centre (x, y) and sides (w, h), or boxes [..., 4].

    from_centre([12, 23], [4, 6])      # [10, 20, 4, 6]
    """
    centre, sides = np.asarray(centre, np.float64), np.asarray(sides, np.float64)
    return np.concatenate([centre - sides / 2, sides], -1)


def overlap(first: Any, second: Any) -> float:
    """Returns the intersection over union of two boxes; 0 where both are empty.

    overlap([0, 0, 2, 2], [1, 0, 2, 2])      # 1/3
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    low = np.maximum(first[:2], second[:2])
    high = np.minimum(first[:2] + first[2:], second[:2] + second[2:])
    common = np.prod(np.maximum(high - low, 0))
    union = np.prod(first[2:]) + np.prod(second[2:]) - common
    return float(common / union) if union > 0 else 0.0


def _near(mask: npt.NDArray[np.bool_], expected: Box) -> npt.NDArray[np.bool_]:
    """The mask without the connected parts that lie far from an expected box."""
    _, parts, _, centroids = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    distance = np.linalg.norm(centroids + 0.5 - centre_of(expected), axis=1)
    kept = distance <= NEAR * max(expected[2:])
    kept[0] = False  # the background
    return kept[parts]
