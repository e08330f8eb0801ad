"""Key points on the host: detected in a frame by OpenCV, and matched with those of earlier frames.

All arrays have a fixed size, since they enter and leave a compiled step (`fusion.py`): a frame has
MOST points, of which spare ones are at (-1, -1).
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np

RATIO = 0.8  # largest ratio of the distances to the best and the second-best match
SMALL = 96  # objects with a smaller box, in pixels, are searched again after enlarging
MOST = 2000  # points of a frame
NEAR = 8  # number of neighbouring matches with which the motion of a match is compared


class Method(NamedTuple):
    """A kind of key points.

    make   make(count) -> an OpenCV detector
    width  length of a descriptor in bytes
    bits   whether descriptors are bit strings, compared by Hamming distance
    """

    make: Callable[..., Any]
    width: int
    bits: bool


METHODS = {
    "sift": Method(cv2.SIFT_create, 128, False),  # type: ignore[attr-defined]  # not in its stubs
    "orb": Method(cv2.ORB_create, 32, True),  # type: ignore[attr-defined]
}


class Points(NamedTuple):
    """Key points: places float32 [..., MOST, 2] as (x, y), descriptors uint8 [..., MOST, D]."""

    places: np.ndarray
    descriptors: np.ndarray


def detect(grey: np.ndarray, boxes: np.ndarray, *, method: str = "sift") -> Points:
    """Detects the key points of a frame; small objects are also searched in an enlarged crop.

        points = detect(grey, boxes)

    Args:
        grey: uint8 [H, W].
        boxes: int32 [N, 4], approximate boxes (x, y, w, h) of the objects; w is 0 for absent ones.
        method: one of `METHODS`.
    """
    crops = list(_crops(boxes, grey.shape))
    parts = []
    for x, y, w, h in crops:
        crop = cv2.resize(
            grey[y : y + h, x : x + w], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC
        )
        places, descriptors = _detect(crop, method, MOST // 2 // len(crops))
        parts.append((places / 2 + np.array((x, y), np.float32), descriptors))
    parts.append(_detect(grey, method, MOST - sum(len(places) for places, _ in parts)))
    places, descriptors = (np.concatenate(part) for part in zip(*parts))
    spare = (0, MOST - len(places)), (0, 0)
    return Points(np.pad(places, spare, constant_values=-1), np.pad(descriptors, spare))


def _detect(grey: np.ndarray, method: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Detects at most `count` points; SIFT's descriptors, integers up to 255, fit uint8 exactly."""
    make, width, _ = METHODS[method]
    points, descriptors = make(count).detectAndCompute(grey, None)
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, width), np.uint8)
    places = np.array([point.pt for point in points], np.float32)
    return places[:count], descriptors[:count].astype(np.uint8)


def _crops(boxes: np.ndarray, size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Yields the boxes (x, y, w, h) of small objects, enlarged by half."""
    for x, y, w, h in np.asarray(boxes).tolist():
        if 0 < w and max(w, h) < SMALL:
            left, top = max(x - w // 4, 0), max(y - h // 4, 0)
            yield (
                left,
                top,
                min(x + w + w // 4, size[1]) - left,
                min(y + h + h // 4, size[0]) - top,
            )


def match(
    points: Points,
    references: Points,
    labels: np.ndarray,
    trust: np.ndarray,
    *,
    objects: int,
    method: str = "sift",
) -> tuple[np.ndarray, np.ndarray]:
    """Transfers labels from earlier frames to the points of a frame by mutual nearest neighbours.

        votes, counts = match(points, references, labels, trust, objects=3)

    Args:
        points: the points of the frame.
        references: the points of R earlier frames.
        labels: int32 [R, MOST], the labels 0 to N of the references' points, -1 for none.
        trust: float32 [R] in 0..1, the trust in each reference; 0 leaves it out.
        objects: number of objects N.
        method: one of `METHODS`.

    Returns:
        Votes for each label at every point, float32 [MOST, N+1], where a match counts as the trust
        in its reference times (1 - ratio of distances); and the number of matches of each label,
        int32 [N+1].
    """
    votes = np.zeros((MOST, objects + 1), np.float32)
    counts = np.zeros(objects + 1, np.int32)
    present = np.flatnonzero(points.places[:, 0] >= 0)
    for number in np.flatnonzero(trust):
        usable = np.flatnonzero(labels[number] >= 0)
        if min(len(usable), len(present)) < 2:
            continue
        there, here, ratios = _mutual(
            references.descriptors[number, usable], points.descriptors[present], method
        )
        there, here = usable[there], present[here]
        kept = _steady(references.places[number, there], points.places[here])
        there, here, ratios = there[kept], here[kept], ratios[kept]
        carried = labels[number, there]
        votes[here, carried] += trust[number] * (1 - ratios)
        np.add.at(counts, carried, 1)
    return votes, counts


def _mutual(there: Any, here: Any, method: str) -> Any:
    """Returns the indices of mutual nearest neighbours in both sets, and ratios of distances."""
    distances = _distances(there, here, METHODS[method].bits)
    rows = np.arange(len(there))
    best = distances.argmin(1)
    mutual = distances.argmin(0)[best] == rows
    first = distances[rows, best]
    distances[rows, best] = np.inf
    ratios = first / np.maximum(distances.min(1), 1e-6)
    good = mutual & (ratios < RATIO)
    return rows[good], best[good], ratios[good]


def _distances(a: np.ndarray, b: np.ndarray, bits: bool) -> np.ndarray:
    """Returns distances, float32 [A, B]; the sums under the root are exact, being integers."""
    a, b = (np.unpackbits(side, axis=1) if bits else side for side in (a, b))
    a, b = a.astype(np.float32), b.astype(np.float32)
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * (a @ b.T)
    return squares if bits else np.sqrt(squares)


def _steady(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Selects the matches that move within 3 median absolute deviations of their neighbours."""
    if len(before) <= NEAR:
        return np.ones(len(before), bool)
    move = after - before
    distances = ((before[:, None] - before[None]) ** 2).sum(-1)
    near = np.argsort(distances, 1, kind="stable")[:, 1 : NEAR + 1]
    middle = np.median(move[near], 1)
    spread = np.median(np.abs(move[near] - middle[:, None]), 1).max(1)
    return np.abs(move - middle).max(1) <= 3 * spread + 2
