"""Whether the second segmentation of a frame is trusted: five tests, each of which is counted."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.refine.zoom.moments import LEAST, mask_box, overlap

TESTS = ("overlap", "area", "border", "certainty", "cycle")
OVERLAP = 0.3  # least IoU with the first mask, or of the boxes where there is none
AREAS = (0.4, 2.5)  # of the soft area, relative to that of the frames before
HISTORY = 5  # trusted frames whose areas are compared
BORDER = 0.1  # share of the contour that may lie at the crop's border
CERTAIN = 0.7  # least mean probability in the mask
DECLINE = 0.1  # by which it may be less than in the first mask
CYCLE = 0.6  # least J of the given mask that was recovered by segmenting back

Passed = Mapping[str, bool]  # of TESTS


def overlaps(zoomed: Any, first: Any, tracker: Any = None) -> bool:
    """Whether the second mask lies where the first one did, or where the tracker says.

        overlaps(zoomed, first)

    Args:
        zoomed: float [S, S], probabilities of the object in the crop.
        first: float [S, S], those of the first segmentation.
        tracker: (x, y, w, h) of the box tracker in the crop, if it sees the object; else None.
    """
    second_mask, first_mask = np.asarray(zoomed) > LEAST, np.asarray(first) > LEAST
    if first_mask.any() or tracker is None:
        return iou(second_mask, first_mask) >= OVERLAP
    found = mask_box(zoomed)
    return found is not None and overlap(found.box, tracker) >= OVERLAP


def area_is_steady(area: float, history: Sequence[float]) -> bool:
    """Whether a soft area is within 0.4 to 2.5 times the median of the last five trusted ones.

        area_is_steady(110.0, history=[90.0, 100.0, 105.0])      # True

    Without a history, any area above zero is.
    """
    if not len(history):
        return area > 0
    usual = float(np.median(history[-HISTORY:]))
    return AREAS[0] * usual <= area <= AREAS[1] * usual


def keeps_off_border(zoomed: Any, open_sides: Sequence[bool] = (True,) * 4) -> bool:
    """Whether less than a tenth of a mask's contour lies at the border of its crop.

        keeps_off_border(zoomed, open_sides=(True, True, False, True))

    Args:
        zoomed: float [S, S], probabilities of the object in the crop.
        open_sides: whether the frame goes on beyond the crop's left, upper, right and lower side.
            Where the frame itself ends, an object may lie at the border.
    """
    mask = np.asarray(zoomed) > LEAST
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = cv2.erode(mask.astype(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    contour = mask & (inner == 0)
    border = np.zeros_like(mask)
    left, top, right, bottom = open_sides
    border[:, 0] |= left
    border[0] |= top
    border[:, -1] |= right
    border[-1] |= bottom
    return bool((contour & border).sum() < BORDER * max(contour.sum(), 1))


def is_certain(zoomed: Any, first: float | None) -> bool:
    """Whether the mean probability in a mask is at least 0.7, and near that of the first one.

        is_certain(zoomed, first=0.82)

    Args:
        zoomed: float [S, S], probabilities of the object in the crop.
        first: mean probability in the first mask; None if that is unknown, or there is no mask.
    """
    zoomed = np.asarray(zoomed)
    mask = zoomed > LEAST
    if not mask.any():
        return False
    mean = float(zoomed[mask].mean())
    return mean >= CERTAIN and (first is None or mean >= first - DECLINE)


def closes_cycle(recovered: Any, given: Any) -> bool:
    """Whether segmenting back to the frame with the given mask recovers it, with a J of 0.6.

        closes_cycle(probs[1] > 0.5, labels == 1)

    Args:
        recovered: bool [h, w].
        given: bool [h, w].
    """
    return iou(recovered, given) >= CYCLE


def trust(passed: Passed) -> float:
    """Returns the trust in a frame: 1 if all tests hold, 0.5 if one fails, else 0.

    A clip that does not close its cycle is not trusted at all.

    trust(dict(overlap=True, area=False, border=True, certainty=True, cycle=True))      # 0.5
    """
    if not passed["cycle"]:
        return 0.0
    return {0: 1.0, 1: 0.5}.get(sum(not held for held in passed.values()), 0.0)


def iou(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """Returns the intersection over union of two masks; 0 where both are empty.

    iou(zoomed > 0.5, first > 0.5)
    """
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 0.0
