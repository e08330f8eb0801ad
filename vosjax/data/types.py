"""What a training clip is, and how its objects get their slots.

A clip is a dict of NumPy arrays:

    frames   uint8 [T, H, W, 3]   RGB
    labels   uint8 [T, H, W]      0 background, 1..max_objects object slots, 255 ignore
    live     bool  [max_objects]  live[i] says that slot i + 1 holds an object of frame 0
    objects  int32 []             how many slots are live

The slots of the n objects are n random distinct numbers out of 1..max_objects: this permutes the
channels of the identity bank from clip to clip, which is AOT's identity shuffling (arXiv
2106.02638, section 3.2).
"""

from typing import NamedTuple

import cv2
import numpy as np

IGNORE = 255


class ClipSpec(NamedTuple):
    """Shape of a clip. `shuffle=False` numbers the objects 1..n in the order of their raw ids."""

    frames: int
    height: int
    width: int
    max_objects: int = 10
    shuffle: bool = True


def minimum_pixels(height, width):
    """Pixels that an object must exceed in frame 0: 100 as in AOT, fewer in tiny frames."""
    return min(100, height * width // 500)


def visible_ids(labels, more_than):
    """Ids, rising, of uint8 `labels` with over `more_than` pixels; no background, no ignore."""
    counts = np.bincount(labels.ravel(), minlength=256)
    counts[[0, IGNORE]] = 0
    return np.flatnonzero(counts > more_than)


def assign_slots(frames, labels, *, spec, rng, least=None):
    """Choose the objects of a raw clip and give them slots.

    Objects are the raw ids that exceed `minimum_pixels` in frame 0, at random `max_objects` of them
    where there are more. All other ids become background; their pixels stay in the picture, as
    distractors.

      frames   uint8 [T, H, W, 3]
      labels   uint8 [T, H, W], any ids 1..254, 255 ignore
      least    pixels that an object must exceed in frame 0, None: `minimum_pixels`
    """
    height, width = labels.shape[1:]
    ids = visible_ids(labels[0], minimum_pixels(height, width) if least is None else least)
    if len(ids) > spec.max_objects:
        ids = np.sort(rng.choice(ids, spec.max_objects, replace=False))
    slots = np.arange(1, len(ids) + 1)
    if spec.shuffle:
        slots = rng.permutation(spec.max_objects)[: len(ids)] + 1
    table = np.zeros(256, np.uint8)
    table[ids] = slots
    table[IGNORE] = IGNORE
    live = np.zeros(spec.max_objects, bool)
    live[slots - 1] = True
    return dict(
        frames=np.ascontiguousarray(frames),
        labels=look_up(table, labels),
        live=live,
        objects=np.int32(len(ids)),
    )


def keep(labels, ids):
    """Labels uint8 with background in place of all ids but `ids`; 255 stays."""
    table = np.zeros(256, np.uint8)
    table[ids] = ids
    table[IGNORE] = IGNORE
    return look_up(table, labels)


def look_up(table, labels):
    """table[labels] for a table uint8 [256] and labels uint8 of any shape, fast."""
    return cv2.LUT(np.ascontiguousarray(labels).reshape(1, -1), table).reshape(labels.shape)


def densify(labels):
    """Renumber the ids of uint8 `labels` to 1..n in rising order; 0 and 255 stay.

    Returns labels, n.
    """
    ids = visible_ids(labels, 0)
    table = np.zeros(256, np.uint8)
    table[ids] = np.arange(1, len(ids) + 1)
    table[IGNORE] = IGNORE
    return look_up(table, labels), len(ids)


def merge(below, above):
    """Lay the foreground of one raw clip over another (AOT's dynamic merge, before `seal`).

    Each is (frames uint8 [T, H, W, 3], labels uint8 [T, H, W]) of one shape. The ids of `above`
    follow those of `below`, so no two objects share an id. Raises ValueError when the two hold more
    than 254 ids together.
    """
    lower, count = densify(below[1])
    upper, more = densify(above[1])
    if count + more >= IGNORE:
        raise ValueError(
            f"merge got {count} + {more} object ids, at most 254 fit; drop objects before merging"
        )
    shift = np.arange(256, dtype=np.uint8) + np.uint8(count)
    shift[[0, IGNORE]] = 0, IGNORE
    frames = np.array(below[0], order="C")
    for frame, front, ids, label in zip(frames, above[0], upper, lower):
        shown = cv2.compare(ids, 0, cv2.CMP_GT)
        cv2.copyTo(np.ascontiguousarray(front), shown, frame)
        cv2.copyTo(look_up(shift, ids), shown, label)
    return frames, lower
