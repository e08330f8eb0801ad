"""Key points on the host: found in a frame by OpenCV, matched with those of earlier frames.

Everything has a fixed size, so that it can come from and go into a compiled step (`fusion.py`): a
frame has MOST points, of which spare ones stand at (-1, -1).
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np

RATIO = 0.8  # of the distances to the best and to the second-best match
SMALL = 96  # objects with a box below that are looked at again, enlarged
MOST = 2000  # points of a frame
NEAR = 8  # matches whose motion one is compared with


class Method(NamedTuple):
    """A kind of points: make(count) -> detector; bytes of a descriptor; whether they are bits."""

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
    """The key points of a frame; small objects are looked at twice.

        points = detect(grey, boxes)

    Args:
      grey: uint8 [H, W].
      boxes: int32 [N, 4] as (x, y, w, h), where objects are about; w 0 where one is nowhere.
      method: of `METHODS`.
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
    """At most `count` points; SIFT's descriptors are whole numbers up to 255 in any case."""
    make, width, _ = METHODS[method]
    points, descriptors = make(count).detectAndCompute(grey, None)
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, width), np.uint8)
    places = np.array([point.pt for point in points], np.float32)
    return places[:count], descriptors[:count].astype(np.uint8)


def _crops(boxes: np.ndarray, size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """(x, y, w, h) of small objects, enlarged by half."""
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
    """Labels carried from earlier frames to a frame's points by mutual nearest neighbours.

        votes, counts = match(points, references, labels, trust, objects=3)

    Args:
      points: of the frame.
      references: of R earlier frames.
      labels: int32 [R, MOST] of the references' points, 0 to N, -1 of those that carry none.
      trust: float32 [R] in 0..1, 0 of those that are not asked.
      objects: N.
      method: of `METHODS`.

    Returns:
      float32 [MOST, N+1], the votes for each label at every point, a match weighing its
      reference's trust times 1 - the ratio of distances; int32 [N+1], the matches of each label.
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
    """Indices into both of pairs that are each other's nearest by far, and distances' ratios."""
    apart = _distances(there, here, METHODS[method].bits)
    rows = np.arange(len(there))
    best = apart.argmin(1)
    mutual = apart.argmin(0)[best] == rows
    first = apart[rows, best]
    apart[rows, best] = np.inf
    ratios = first / np.maximum(apart.min(1), 1e-6)
    good = mutual & (ratios < RATIO)
    return rows[good], best[good], ratios[good]


def _distances(a: np.ndarray, b: np.ndarray, bits: bool) -> np.ndarray:
    """float32 [A, B], of bits by Hamming; products of whole numbers, so exact before the root."""
    a, b = (np.unpackbits(side, axis=1) if bits else side for side in (a, b))
    a, b = a.astype(np.float32), b.astype(np.float32)
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * (a @ b.T)
    return squares if bits else np.sqrt(squares)


def _steady(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Which matches move about (within 3 median absolute deviations) as their neighbours do."""
    if len(before) <= NEAR:
        return np.ones(len(before), bool)
    move = after - before
    apart = ((before[:, None] - before[None]) ** 2).sum(-1)
    near = np.argsort(apart, 1, kind="stable")[:, 1 : NEAR + 1]
    middle = np.median(move[near], 1)
    spread = np.median(np.abs(move[near] - middle[:, None]), 1).max(1)
    return np.abs(move - middle).max(1) <= 3 * spread + 2
