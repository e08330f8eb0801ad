"""Where an object is in a frame: what its mask and the box tracker say, made one."""

from typing import Any, NamedTuple

import numpy as np

from vosjax.boxes.protocol import HARD_NEGATIVE, NORMAL
from vosjax.refine.zoom.kalman import Motion, distance, expected_box
from vosjax.refine.zoom.moments import Box, MaskBox, centre_of, from_centre, overlap

AGREEING = 0.3  # least overlap of boxes that are one
GROWTH = 1.05  # by which a box grows in each frame in which nothing was seen
CROPS = 2  # sides of the crop within which two boxes that disagree are both held
BOTH, MASK, TRACKER, EITHER, NEITHER = 1.0, 0.7, 0.6, 0.3, 0.0  # confidences
RELIABLE = MASK  # confidence of frames that may be remembered


class Seen(NamedTuple):
    """What a box tracker says of a frame.

    box    (x, y, w, h) in pixels
    score  0..1
    flag   0 normal, 1 a similar object is near, 2 uncertain, 3 not found
    """

    box: Box
    score: float
    flag: int


class Place(NamedTuple):
    """Where an object is in a frame.

    box         (x, y, w, h) in pixels
    confidence  0..1; 0 where nothing is known but the motion so far
    hold        the box that the crop has to hold: `box`, or the union of two that disagree
    seen        whether mask or tracker saw the object
    """

    box: Box
    confidence: float
    hold: Box
    seen: bool


def agree(
    mask: MaskBox | None,
    tracker: Seen | None,
    motion: Motion,
    reliable: Any,
    missed: int,
    side: float = np.inf,
) -> Place:
    """Decides where an object is in a frame.

        place = agree(mask_box(probs), None, predict(motion), reliable=(12.0, 8.0), missed=0)

    | mask | tracker | box | confidence |
    | --- | --- | --- | --- |
    | seen | agrees: overlap of 0.3, or centres within one size | weighted mean | 1.0 |
    | seen | does not know, or there is none | the mask's | 0.7 |
    | not seen | sees it | tracker's centre, last reliable size | 0.6 |
    | seen | elsewhere | the one nearer to the motion so far | 0.3 |
    | not seen | does not know, or there is none | expected, growing by 5 % a frame | 0 |

    Without a tracker (None), a mask that lies more than one size from where the motion leads is
    given a confidence of 0.3.

    Args:
        mask: of `mask_box`, None if the mask is empty.
        tracker: what the box tracker says; None if there is none.
        motion: the prediction for this frame.
        reliable: (w, h), the sides where the object was last seen reliably.
        missed: frames since the object was seen, this one left out.
        side: of the crop in pixels. Two boxes that disagree are to be held both if they are within
            two sides. Whether the crop grows for them, `path.crop_path` decides for the whole clip.
    """
    tracked = tracker is not None and is_found(tracker)
    if mask is not None and tracked:
        assert tracker is not None
        if same_place(mask.box, tracker.box):
            weights = np.array([mask.probability, max(tracker.score, 1e-3)])
            box = np.average([mask.box, tracker.box], 0, weights)
            return Place(box, BOTH, box, True)
        nearer = min((mask.box, tracker.box), key=lambda box: distance(motion, box))
        both = union(mask.box, tracker.box)
        return Place(nearer, EITHER, both if max(both[2:]) <= CROPS * side else nearer, True)
    if mask is not None:
        expected = tracker is not None or same_place(mask.box, expected_box(motion))
        return Place(mask.box, MASK if expected else EITHER, mask.box, True)
    if tracked:
        assert tracker is not None
        box = from_centre(centre_of(tracker.box), reliable)
        return Place(box, TRACKER, box, True)
    expected_now = expected_box(motion)
    grown = from_centre(centre_of(expected_now), np.asarray(reliable) * GROWTH ** (missed + 1))
    return Place(grown, NEITHER, grown, False)


def is_found(seen: Seen) -> bool:
    """Whether a box tracker sees the object: without doubt, or with a similar one near it.

    is_found(Seen(box, 0.9, NORMAL))      # True
    """
    return seen.flag in (NORMAL, HARD_NEGATIVE)


def same_place(first: Any, second: Any) -> bool:
    """Whether two boxes overlap by 0.3, or their centres are within the longer side of the first.

    same_place(mask.box, tracker.box)
    """
    apart = np.linalg.norm(centre_of(first) - centre_of(second))
    return overlap(first, second) >= AGREEING or bool(apart <= max(np.asarray(first)[2:]))


def union(first: Any, second: Any) -> Box:
    """Returns the smallest box that holds two.

    union([0, 0, 2, 2], [5, 1, 2, 2])      # [0, 0, 7, 3]
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    low = np.minimum(first[:2], second[:2])
    return np.concatenate([low, np.maximum(first[:2] + first[2:], second[:2] + second[2:]) - low])
