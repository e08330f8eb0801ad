"""What a training clip is, and how its objects get their slots.

A clip is a dict of NumPy arrays:

    frames   uint8 [T, H, W, 3]   RGB
    labels   uint8 [T, H, W]      0 background, 1..max_objects object slots, 255 ignored
    live     bool  [max_objects]  live[i] says that slot i + 1 holds an object of frame 0
    objects  int32 []             how many slots are live

Before that a clip is raw: frames and labels with any ids. The slots of the n objects are n random
distinct numbers out of 1..max_objects: this permutes the channels of the identity bank from clip to
clip, which is AOT's identity shuffling (arXiv 2106.02638, section 3.2).
"""

from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.datasets.decode import IGNORE as IGNORE

Frames = npt.NDArray[np.uint8]  # [T, H, W, 3]
Labels = npt.NDArray[np.uint8]  # [..., H, W]
Clip = dict[str, Any]
RawClip = tuple[Frames, Labels]


class ClipSpec(NamedTuple):
    """Shape of a clip; `shuffle=False` numbers the objects 1..n in the order of their raw ids."""

    frames: int
    height: int
    width: int
    max_objects: int = 10
    shuffle: bool = True


class ClipSource(Protocol):
    """What makes clips: of a dataset's videos or photos, or from nothing."""

    def __len__(self) -> int:
        """The number of videos or photos, which is how often a pass draws from it."""

    def clip(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> Clip:
        """A clip of video or photo `index`; the same for an equal `rng`."""


def minimum_pixels(height: int, width: int) -> int:
    """Pixels that an object must exceed in frame 0: 100 as in AOT, fewer in tiny frames.

    minimum_pixels(465, 465)      # 100
    """
    return min(100, height * width // 500)


def visible_ids(labels: Labels, more_than: float) -> npt.NDArray[np.intp]:
    """The ids in `labels`, rising, that have over `more_than` pixels.

        visible_ids(np.array([[0, 3, 3], [255, 7, 3]], np.uint8), 1)  # [3]

    0 (background) and 255 (ignored) are no ids.
    """
    counts = np.bincount(labels.ravel(), minlength=256)
    counts[[0, IGNORE]] = 0
    return np.flatnonzero(counts > more_than)


def assign_slots(
    frames: Frames,
    labels: Labels,
    *,
    spec: ClipSpec,
    rng: np.random.Generator,
    least: int | None = None,
) -> Clip:
    """Chooses the objects of a raw clip and gives them slots.

        clip = assign_slots(frames, labels, spec=ClipSpec(3, 465, 465), rng=rng)

    Objects are the raw ids that exceed `minimum_pixels` in frame 0, at random `max_objects` of them
    where there are more. All other ids become background; their pixels stay in the picture, as
    distractors.

    Args:
        frames: uint8 [T, H, W, 3].
        labels: uint8 [T, H, W], any ids 1..254; 255 is ignored.
        spec: of the clip.
        rng: chooses objects and slots.
        least: pixels that an object must exceed in frame 0; None takes `minimum_pixels`.

    Returns:
        The clip, see the top of this file.
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


def keep(labels: Labels, ids: npt.NDArray[np.integer]) -> Labels:
    """Labels with background in place of all ids but `ids`; 255 stays.

    kept = keep(labels, [1, 3])
    """
    table = np.zeros(256, np.uint8)
    table[ids] = ids
    table[IGNORE] = IGNORE
    return look_up(table, labels)


def look_up(table: npt.NDArray[np.uint8], labels: Labels) -> Labels:
    """table[labels] for a table uint8 [256] and labels uint8 of any shape, fast.

    swapped = look_up(np.arange(255, -1, -1).astype(np.uint8), labels)
    """
    return cv2.LUT(np.ascontiguousarray(labels).reshape(1, -1), table).reshape(labels.shape)


def densify(labels: Labels) -> tuple[Labels, int]:
    """(labels with ids 1..n in the rising order of the given ids, n); 0 and 255 stay.

    dense, count = densify(labels)
    """
    ids = visible_ids(labels, 0)
    table = np.zeros(256, np.uint8)
    table[ids] = np.arange(1, len(ids) + 1)
    table[IGNORE] = IGNORE
    return look_up(table, labels), len(ids)


def merge(below: RawClip, above: RawClip) -> RawClip:
    """Lays the foreground of one raw clip over another: AOT's dynamic merge.

        frames, labels = merge((frames, labels), other)

    Args:
        below: frames uint8 [T, H, W, 3] and labels uint8 [T, H, W].
        above: the same; its ids follow those of `below`, so that no two objects share one.

    Raises:
        ValueError: the two hold more than 254 ids together.
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
