"""What a training clip is, and how its objects are assigned to slots.

A clip is a dict of NumPy arrays:

    frames   uint8 [T, H, W, 3]   RGB
    labels   uint8 [T, H, W]      0 background, 1..max_objects object slots, 255 ignored
    live     bool  [max_objects]  live[i]: slot i + 1 holds an object of frame 0
    objects  int32 []             number of live slots

A raw clip is frames and labels with any ids. `assign_slots` makes a clip of it: the slots of its n
objects are n distinct random numbers in 1..max_objects. This permutes the channels of the identity
bank from clip to clip, which is AOT's identity shuffling (arXiv 2106.02638, section 3.2).
"""

from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.datasets.decode import IGNORE as IGNORE
from vosjax.errors import InputError

Frames = npt.NDArray[np.uint8]  # [T, H, W, 3]
Labels = npt.NDArray[np.uint8]  # [..., H, W]
Clip = dict[str, Any]
RawClip = tuple[Frames, Labels]


class ClipSpec(NamedTuple):
    """Shape of a clip.

    frames       number of frames T
    height       H of the frames, in pixels
    width        W of the frames, in pixels
    max_objects  number of slots
    shuffle      whether objects get random slots; else slots 1..n in the order of their raw ids
    """

    frames: int
    height: int
    width: int
    max_objects: int = 10
    shuffle: bool = True


class ClipSource(Protocol):
    """A source of clips, made from a dataset's videos or photos, or rendered."""

    def __len__(self) -> int:
        """The number of videos or photos, which is the number of clips in one pass."""

    def clip(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> Clip:
        """Makes a clip of video or photo `index`; equal generators give equal clips."""


def minimum_pixels(height: int, width: int) -> int:
    """Returns the pixels that an object must exceed in frame 0: 100 as in AOT, fewer if tiny.

    minimum_pixels(465, 465)      # 100
    """
    return min(100, height * width // 500)


def visible_ids(labels: Labels, more_than: float) -> npt.NDArray[np.intp]:
    """Returns the ids with more than `more_than` pixels in `labels`, in ascending order.

        visible_ids(np.array([[0, 3, 3], [255, 7, 3]], np.uint8), 1)  # [3]

    0 (background) and 255 (ignored) are not ids.
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
    """Chooses the objects of a raw clip and assigns them to slots.

        clip = assign_slots(frames, labels, spec=ClipSpec(3, 465, 465), rng=rng)

    The objects are the raw ids that exceed `minimum_pixels` in frame 0, or a random choice of
    `max_objects` of them if there are more. All other ids become background; their pixels stay in
    the frames, as distractors.

    Args:
        frames: uint8 [T, H, W, 3].
        labels: uint8 [T, H, W], any ids 1..254; 255 is ignored.
        spec: shape of the clip.
        rng: chooses objects and slots.
        least: pixels that an object must exceed in frame 0; None takes `minimum_pixels`.

    Returns:
        The clip, as described at the top of this file.
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
    """Replaces all ids but `ids` by background in labels, uint8 [..., H, W]; 255 stays.

    kept = keep(labels, [1, 3])
    """
    table = np.zeros(256, np.uint8)
    table[ids] = ids
    table[IGNORE] = IGNORE
    return look_up(table, labels)


def look_up(table: npt.NDArray[np.uint8], labels: Labels) -> Labels:
    """Returns table[labels], computed fast, for uint8 [256] and uint8 labels of any shape.

    swapped = look_up(np.arange(255, -1, -1).astype(np.uint8), labels)
    """
    return cv2.LUT(np.ascontiguousarray(labels).reshape(1, -1), table).reshape(labels.shape)


def densify(labels: Labels) -> tuple[Labels, int]:
    """Renumbers the n ids in labels, uint8 [..., H, W], as 1..n; 0 and 255 stay.

        dense, count = densify(labels)

    Returns:
        The renumbered labels, in which the ids keep their order, and n.
    """
    ids = visible_ids(labels, 0)
    table = np.zeros(256, np.uint8)
    table[ids] = np.arange(1, len(ids) + 1)
    table[IGNORE] = IGNORE
    return look_up(table, labels), len(ids)


def merge(below: RawClip, above: RawClip) -> RawClip:
    """Pastes the objects of one raw clip over another: AOT's dynamic merge (arXiv 2106.02638).

        frames, labels = merge((frames, labels), other)

    Args:
        below: frames uint8 [T, H, W, 3] and labels uint8 [T, H, W].
        above: a clip of the same shape, whose objects are pasted.

    Returns:
        The merged raw clip, in which the ids of `above` follow those of `below`.

    Raises:
        InputError: the two clips hold more than 254 ids together.
    """
    lower, count = densify(below[1])
    upper, more = densify(above[1])
    if count + more >= IGNORE:
        raise InputError(
            f"two clips of {count} and {more} objects are to be merged, and at most 254 fit into "
            "one: lower data.max_objects or data.merges, or leave out pictures of so many objects"
        )
    shift = np.arange(256, dtype=np.uint8) + np.uint8(count)
    shift[[0, IGNORE]] = 0, IGNORE
    frames = np.array(below[0], order="C")
    for frame, front, ids, label in zip(frames, above[0], upper, lower):
        foreground = cv2.compare(ids, 0, cv2.CMP_GT)
        cv2.copyTo(np.ascontiguousarray(front), foreground, frame)
        cv2.copyTo(look_up(shift, ids), foreground, label)
    return frames, lower
