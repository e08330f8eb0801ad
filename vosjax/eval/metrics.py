"""Region similarity J, boundary accuracy F and their statistics: pure functions over arrays.

Definitions: Perazzi et al., CVPR 2016, and Pont-Tuset et al., arXiv 1704.00675, with the rules of
the public davis2017-evaluation for what the papers leave open. Only integers are counted and
divided, so the figures equal the official tool's to the last bits of float64.

All objects of a frame are scored at once, and no image is dilated. Only boundary pixels are looked
at: a few thousand, kept as sorted integer keys with one range of keys per object. A boundary pixel
is matched within the tolerance r if some row at distance dy holds a partner at most
isqrt(r^2 - dy^2) columns away, which a binary search finds. These pixels form the disk
dx^2 + dy^2 <= r^2 by which the official tool dilates.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.uint8]  # [H, W] of object ids
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Statistics(NamedTuple):
    """Mean, recall (share of frames above 0.5) and decay (mean of the first quarter minus last)."""

    mean: float
    recall: float
    decay: float


def tolerance(height: int, width: int, *, bound: float = 0.008) -> int:
    """Returns the largest distance in pixels at which boundaries match: ceil(bound * diagonal).

        tolerance(480, 854)  # 8

    A bound of 1 or more is itself a number of pixels, as in the official tool.
    """
    return int(bound) if bound >= 1 else math.ceil(bound * math.hypot(height, width))


def boundary(mask: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Returns the boundary map, bool [H, W], of a mask [H, W] (any dtype, non-zero: the object).

        edge = boundary(labels == 1)

    A pixel is on the boundary if the mask changes between it and its right, lower or lower right
    neighbour. The mask is padded by its last row and column, so an object has no boundary where it
    meets the border of the image.
    """
    inside = np.pad(np.asarray(mask) != 0, ((0, 1), (0, 1)), mode="edge")
    here = inside[:-1, :-1]
    return (here != inside[:-1, 1:]) | (here != inside[1:, :-1]) | (here != inside[1:, 1:])


def region_similarity(
    truth: npt.ArrayLike, prediction: npt.ArrayLike, *, void: npt.ArrayLike | None = None
) -> float:
    """Returns J, the intersection over union of two masks [H, W], in 0..1; 1 if both are empty.

        region_similarity(labels == 1, predicted == 1, void=labels == 255)

    Args:
        truth: the true mask, any dtype; non-zero is the object.
        prediction: the predicted mask.
        void: pixels [H, W] that do not count, or None.
    """
    inside, predicted = np.asarray(truth) != 0, np.asarray(prediction) != 0
    if void is not None:
        clear = np.asarray(void) == 0
        inside, predicted = inside & clear, predicted & clear
    j, _ = frame_scores(inside.view(np.uint8), predicted.view(np.uint8), objects=(1,))
    return float(j[0])


def frame_scores(
    truth: npt.ArrayLike,
    prediction: npt.ArrayLike,
    *,
    objects: npt.ArrayLike,
    bound: float = 0.008,
) -> tuple[Floats, Floats]:
    """Returns J and F of all objects of one frame.

        j, f = frame_scores(labels, predicted, objects=(1, 2))

    Args:
        truth: true label map, uint8 [H, W]; 0 is background.
        prediction: predicted label map, uint8 [H, W].
        objects: N distinct ids in 1..255; all other ids count as background.
        bound: tolerance relative to the diagonal, see `tolerance`.

    Returns:
        J and F, float64 [N] each, in 0..1, in the order of `objects`.

    Raises:
        ValueError: a map has another dtype, the sizes differ, or ids are repeated or out of range.
    """
    truth, prediction, ids = _checked(truth, prediction, objects)
    radius = tolerance(*truth.shape, bound=bound)
    x, y, w, h = cv2.boundingRect(truth | prediction)
    if w == 0 or len(ids) == 0:
        return np.ones(len(ids)), np.ones(len(ids))
    # One pixel more on every side: a boundary map extends one pixel above and left of its object,
    # and the background right of it and below must be visible where the image continues.
    crop = np.s_[max(y - 1, 0) : y + h + 1, max(x - 1, 0) : x + w + 1]
    truth, prediction = truth[crop], prediction[crop]
    return (
        _similarities(truth, prediction, ids),
        _accuracies(truth, prediction, ids, radius),
    )


def _checked(
    truth: npt.ArrayLike, prediction: npt.ArrayLike, objects: npt.ArrayLike
) -> tuple[Labels, Labels, Ints]:
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    for name, labels in (("truth", truth), ("prediction", prediction)):
        if labels.dtype != np.uint8 or labels.ndim != 2:
            raise ValueError(
                f"the {name} is {labels.dtype} {list(labels.shape)}; "
                "expected a label map uint8 [H, W]"
            )
    if truth.shape != prediction.shape:
        raise ValueError(
            "the truth has {} x {} pixels (height x width), the prediction {} x {}; "
            "expected are maps of one size".format(*truth.shape, *prediction.shape)
        )
    ids = np.asarray(objects, dtype=np.int64).reshape(-1)
    if len(ids) and not (0 < ids.min() <= ids.max() < 256):
        raise ValueError(f"object ids {ids.tolist()}; expected ids in 1..255")
    if len(np.unique(ids)) < len(ids):
        raise ValueError(f"object ids {ids.tolist()}; expected each id once")
    return truth, prediction, ids


def _similarities(truth: Labels, prediction: Labels, objects: Ints) -> Floats:
    # Only pixels where the maps differ are counted per object: T & P has |T| - |T where they
    # differ| pixels, T | P has |T| + |P where they differ|.
    differs = truth != prediction
    area = np.array([np.count_nonzero(truth == key) for key in objects])
    lost = np.bincount(truth[differs], minlength=256)[objects]
    gained = np.bincount(prediction[differs], minlength=256)[objects]
    common, union = area - lost, area + gained
    return np.where(union == 0, 1.0, common / np.maximum(union, 1))


def _accuracies(truth: Labels, prediction: Labels, objects: Ints, radius: int) -> Floats:
    # Keys are slot * plane + y * stride + x. Gaps of `radius` columns after each row and
    # `radius` + 1 rows after each plane keep search windows that leave the image from reaching
    # other rows or objects.
    stride = truth.shape[1] + radius
    plane = stride * (truth.shape[0] + radius + 1)
    slots = np.full(256, -1, dtype=np.int64)
    slots[objects] = np.arange(len(objects))
    of_truth = _boundary_keys(truth, slots, stride, plane)
    of_prediction = _boundary_keys(prediction, slots, stride, plane)

    def matched_share(points: Ints, partners: Ints) -> Floats:
        # 1 without points; 0 for points without any partner (official rule: F is 0 then).
        alone = without_partner(points, partners, radius, stride)
        total = np.bincount(points // plane, minlength=len(objects))
        missed = np.bincount(alone // plane, minlength=len(objects))
        return np.where(total == 0, 1.0, (total - missed) / np.maximum(total, 1))

    precision = matched_share(of_prediction, of_truth)
    recall = matched_share(of_truth, of_prediction)
    total = precision + recall
    return np.where(total == 0, 0.0, 2 * precision * recall / np.where(total == 0, 1, total))


def _boundary_keys(labels: Labels, slots: Ints, stride: int, plane: int) -> Ints:
    """Returns the sorted int64 keys of the boundary pixels of all objects that have a slot."""
    # A pixel is on an object's boundary if the 2 x 2 labels from it on differ and contain its id.
    height, width = labels.shape
    padded = np.empty((height + 1, width + 1), dtype=np.uint8)
    padded[:-1, :-1], padded[-1, :-1], padded[:-1, -1] = labels, labels[-1], labels[:, -1]
    padded[-1, -1] = labels[-1, -1]
    mixed = padded[:-1, :-1] != padded[:-1, 1:]
    mixed |= padded[:-1, :-1] != padded[1:, :-1]
    mixed |= padded[:-1, :-1] != padded[1:, 1:]
    y, x = np.divmod(np.flatnonzero(mixed), width)
    corner = y * (width + 1) + x
    square = np.stack([corner, corner + 1, corner + width + 1, corner + width + 2])
    slot = slots[padded.ravel()[square]]
    # Each object counts once per pixel, so that keys are distinct (and few) before sorting.
    for i in range(1, 4):
        slot[i, (slot[i] == slot[:i]).any(axis=0)] = -1
    keys = (slot * plane + (y * stride + x))[slot >= 0]
    keys.sort(kind="stable")
    return keys


def without_partner(points: Ints, partners: Ints, radius: int, stride: int) -> Ints:
    """Returns the points that have no partner within a radius.

        without_partner(np.array([0, 27]), np.array([1]), radius=1, stride=8)  # [27]

    Args:
        points: int64 [P], sorted keys `y * stride + x` of pixels.
        partners: int64 [Q], sorted keys of the pixels to be matched with.
        radius: radius of the disk in pixels, see `tolerance`.
        stride: difference of the keys of two rows: the width of the image plus the radius.
    """
    if len(partners) == 0:
        return points
    partners = np.append(partners, np.iinfo(np.int64).max)
    # Near rows come first: they match most points, so far rows are searched for only a few.
    for dy in sorted(range(-radius, radius + 1), key=abs):
        reach = math.isqrt(radius * radius - dy * dy)
        start = points + (dy * stride - reach)
        points = points[partners[np.searchsorted(partners, start)] > start + 2 * reach]
        if len(points) == 0:
            break
    return points


def statistics(values: npt.ArrayLike) -> Statistics:
    """Returns mean, recall and decay of one object's J or F over its scored frames.

        statistics([0.9, 0.8, 0.4]).mean  # 0.7

    The decay is the mean over the first of four bins minus that over the last; neighbouring bins
    share the frame at their edge. (The official tool keeps the edges in uint8, which overflows
    from 256 frames on; here they are plain integers.) NaN values are left out of the means, and
    count as 0 for the recall.

    Args:
        values: float [T], T >= 1.

    Raises:
        ValueError: there is no value.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(
            f"values of shape {list(values.shape)}; "
            "expected one number per scored frame and at least one frame"
        )
    edges = [round(1 + (len(values) - 1) * quarter / 4 + 1e-10) - 1 for quarter in range(5)]
    first, last = values[edges[0] : edges[1] + 1], values[edges[3] : edges[4] + 1]
    return Statistics(
        mean=float(np.nanmean(values)),
        recall=float(np.mean(values > 0.5)),
        decay=float(np.nanmean(first) - np.nanmean(last)),
    )
