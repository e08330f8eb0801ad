"""Key-point voting: points matched between frames carry labels, and weigh an ensemble's models.

A point of an earlier frame, whose label is decided, is found again in the present one; a model
whose mask has it in the same object is right there. Few matches say little: then all models weigh
the same (arXiv 2206.09585 names the idea and gives no formula).
"""

from typing import NamedTuple, Sequence

import cv2
import numpy as np

BACK = (1, 3, 6, 10)  # frames before the present one that are matched with it
RATIO = 0.8  # of the distances to the best and to the second-best match
EDGE = 2.0  # pixels that a point keeps from the border of its region, else it carries no label
FADE = 0.9  # trust in a frame, for every frame that it is away; given masks keep theirs
DOUBT = 15  # matches at which a vote has half its weight
SHARP = 8.0  # of the softmax over the models' qualities
SMALL = 96  # objects with a box below that are looked at again, enlarged
MOST = 2000  # points of a frame
METHODS = {"sift": (lambda: cv2.SIFT_create(MOST), cv2.NORM_L2),
           "orb": (lambda: cv2.ORB_create(MOST), cv2.NORM_HAMMING)}


class Points(NamedTuple):
    """A frame's key points: places float32 [K, 2] as (x, y), descriptors [K, D]."""

    places: np.ndarray
    descriptors: np.ndarray


class Reference(NamedTuple):
    """An earlier frame: its points, their labels int64 [K] (-1 none), its trust 0..1."""

    points: Points
    labels: np.ndarray
    trust: float


class Votes(NamedTuple):
    """Matches in the present frame: places int64 [n, 2] as (x, y), labels [n], weights [n]."""

    places: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def detect(frame: np.ndarray, labels: np.ndarray | None, *, method: str = "sift") -> Points:
    """The key points of uint8 [H, W, 3], small objects of `labels` [H, W] looked at twice.

    Args:
      frame: RGB.
      labels: where objects are about, for example the last frame's; None: nowhere in particular.
      method: 'sift' or 'orb'.
    """
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    found = [_detect(grey, method, (0, 0), 1)]
    for box in _small_boxes(labels):
        x, y, w, h = box
        crop = cv2.resize(grey[y:y + h, x:x + w], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        found.append(_detect(crop, method, (x, y), 2))
    found = [points for points in found if len(points.places)]
    if not found:
        return Points(np.zeros((0, 2), np.float32), np.zeros((0, 1), np.float32))
    return Points(*(np.concatenate(part) for part in zip(*found)))


def _detect(grey, method, corner, zoom):
    points, descriptors = METHODS[method][0]().detectAndCompute(grey, None)
    if descriptors is None:
        return Points(np.zeros((0, 2), np.float32), np.zeros((0, 1), np.float32))
    places = np.array([point.pt for point in points], np.float32) / zoom
    return Points(places + np.array(corner, np.float32), descriptors)


def _small_boxes(labels):
    """(x, y, w, h) of small objects, enlarged by half."""
    if labels is None:
        return
    for key in np.unique(labels):
        x, y, w, h = cv2.boundingRect((labels == key).astype(np.uint8))
        if key and max(w, h) < SMALL:
            left, top = max(x - w // 4, 0), max(y - h // 4, 0)
            yield (left, top, min(x + w + w // 4, labels.shape[1]) - left,
                   min(y + h + h // 4, labels.shape[0]) - top)


def refer(points: Points, labels: np.ndarray, trust: float) -> Reference:
    """A frame as a reference, given its decided labels uint8 [H, W]."""
    found = np.full(len(points.places), -1)
    x, y = _pixels(points.places, labels.shape)
    for key in np.unique(labels):
        region = np.pad((labels == key).astype(np.uint8), 1, mode="edge")
        deep = cv2.distanceTransform(region, cv2.DIST_L2, 3)[1:-1, 1:-1]
        found[(labels[y, x] == key) & (deep[y, x] >= EDGE)] = key
    return Reference(points, found, trust)


def _pixels(places, size):
    x, y = np.rint(places).astype(int).T
    return x.clip(0, size[1] - 1), y.clip(0, size[0] - 1)


def match(references: Sequence[Reference], points: Points, size: tuple[int, int], *,
          method: str = "sift") -> Votes:
    """Labels carried from the references to the present frame by mutual nearest neighbours."""
    places, labels, weights = [np.zeros((0, 2), int)], [np.zeros(0, int)], [np.zeros(0)]
    matcher = cv2.BFMatcher(METHODS[method][1])
    for reference in references:
        usable = reference.labels >= 0
        if usable.sum() < 2 or len(points.places) < 2:
            continue
        there = reference.points.descriptors[usable]
        pairs = matcher.knnMatch(there, points.descriptors, k=2)
        back = {m.queryIdx: m.trainIdx for m in matcher.match(points.descriptors, there)}
        good = [(pair[0], pair[0].distance / max(pair[1].distance, 1e-6)) for pair in pairs
                if len(pair) == 2 and back[pair[0].trainIdx] == pair[0].queryIdx
                and pair[0].distance < RATIO * pair[1].distance]
        good = _without_outliers(good, reference.points.places[usable], points.places)
        if not good:
            continue
        here = np.array([m.trainIdx for m, _ in good])
        places.append(np.stack(_pixels(points.places[here], size), 1))
        labels.append(reference.labels[usable][[m.queryIdx for m, _ in good]])
        weights.append(reference.trust * (1 - np.array([ratio for _, ratio in good])))
    return Votes(np.concatenate(places), np.concatenate(labels), np.concatenate(weights))


def _without_outliers(good, before, after):
    """Matches that move about (within 3 median absolute deviations) as their 8 neighbours do."""
    if len(good) < 9:
        return good
    start = before[[m.queryIdx for m, _ in good]]
    move = after[[m.trainIdx for m, _ in good]] - start
    apart = ((start[:, None] - start[None]) ** 2).sum(-1)
    near = np.argsort(apart, 1)[:, 1:9]
    middle = np.median(move[near], 1)
    spread = np.median(np.abs(move[near] - middle[:, None]), 1).max(1)
    kept = np.abs(move - middle).max(1) <= 3 * spread + 2
    return [pair for pair, keep in zip(good, kept) if keep]


def qualities(votes: Votes, masks: np.ndarray, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """How well models' masks agree with the votes.

    Args:
      votes: of `match`.
      masks: uint8 [M, H, W], each model's own labels.
      ids: of the N objects.

    Returns:
      q float64 [M, N] in 0..1, a smoothed Dice coefficient of the votes inside (recall alone would
      reward masks that leak); n int64 [N], the matches that carry each label.
    """
    x, y = votes.places.T
    said = masks[:, y, x]  # [M, n]
    found = np.zeros((len(masks), len(ids)))
    counts = np.zeros(len(ids), int)
    for column, key in enumerate(ids):
        right = votes.labels == key
        inside = said == key
        true = (votes.weights * (right & inside)).sum(1)
        wrong = (votes.weights * (~right & inside)).sum(1)
        missed = (votes.weights * (right & ~inside)).sum(1)
        found[:, column] = (2 * true + 1) / (2 * true + wrong + missed + 2)
        counts[column] = right.sum()
    return found, counts


def weigh(quality: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Weights [M, N] of the models for each object, sums of one; equal where nothing matched."""
    sure = counts / (counts + DOUBT)
    chosen = np.exp(SHARP * (quality - quality.max(0)))
    return (1 - sure) / len(quality) + sure * chosen / chosen.sum(0)


def fuse(probs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probabilities [M, N+1, H, W] with weights [M, N] -> [N+1, H, W]; background by its mean."""
    objects = np.einsum("mn,mnhw->nhw", weights, probs[:, 1:])
    fused = np.concatenate([probs[:, 0].mean(0, keepdims=True), objects])
    return fused / fused.sum(0)
