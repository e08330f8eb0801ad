"""Which crops of a clip the network sees in which order: forward, backward, and back again."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.refine.zoom.segmenter import CropFrame, CropSegmenter
from vosjax.refine.zoom.trust import closes_cycle

Probs = npt.NDArray[np.float32]


class Crops(NamedTuple):
    """The enlarged crops of a clip, and what its first masks say in them.

    images    uint8 [T, h, w, 3]
    labels    uint8 [T, h, w], slots of the first masks
    reliable  bool [T], whether the zoomed object's mask may be relied on
    given     for each frame, the slots whose masks were given there
    slot      of the zoomed object
    least     pixels of an object that enters the crop, from which on the network is told of it
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    reliable: npt.NDArray[np.bool_]
    given: tuple[tuple[int, ...], ...]
    slot: int
    least: float


class Annotated(NamedTuple):
    """The crop of the frame in which the zoomed object's mask was given.

    image   uint8 [h, w, 3], in which the object has the size that it has in the clip
    labels  uint8 [h, w] of slots
    index   of the frame, counted from the clip's first one: it may lie before or after the clip
    """

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    index: int  # type: ignore[assignment]  # hides `tuple.index`


def orders(crops: Crops, annotated: Annotated) -> list[list[int]]:
    """Returns the frames of each pass over a clip, in the order in which they are segmented.

    A clip behind the annotated frame is segmented forward, and backward from the last frame whose
    mask is reliable; a clip before it the other way round. If the annotated frame lies in the clip,
    forward from there, and backward from the last reliable frame, or else from there.

        orders(crops, annotated)      # [[0, 1, 2, 3], [2, 1, 0]]

    Args:
        crops: of the clip.
        annotated: the annotated frame.
    """
    count, anchor = len(crops.images), annotated.index
    reliable = np.flatnonzero(crops.reliable).tolist()
    later, earlier = (anchor, anchor) if 0 <= anchor < count else (None, None)
    if reliable:
        later = max(reliable[-1], anchor) if later is not None else reliable[-1]
        earlier = min(reliable[0], anchor) if earlier is not None else reliable[0]
    if anchor >= count:
        passes = [list(range(count))[::-1]]
        return passes + ([list(range(earlier, count))] if earlier not in (None, count - 1) else [])
    passes = [list(range(max(anchor, 0), count))]
    return passes + ([list(range(later, -1, -1))] if later not in (None, 0) else [])


def run_pass(
    segmenter: CropSegmenter, crops: Crops, annotated: Annotated, order: Sequence[int]
) -> dict[int, Probs]:
    """Segments the crops of a clip once.

    The annotated crop comes first and is kept in memory, unless the pass begins with that frame
    itself. The first frame is told all objects of the first masks if its mask is reliable; later
    ones are told the masks that were given there, and objects that enter the crop.

        probs = run_pass(segmenter, crops, annotated, order=[0, 1, 2])

    Args:
        segmenter: of `tracking.crops.crop_segmenter`.
        crops: of the clip.
        annotated: the annotated frame.
        order: indices of the frames, first to last.

    Returns:
        {index: float32 [N+1, h, w]}.
    """
    frames, told, left = [], {crops.slot}, segmenter.max_prompts
    if annotated.index != order[0]:
        told |= _visible(annotated.labels, crops.least)
        frames.append(CropFrame(annotated.image, annotated.labels, tuple(sorted(told))))
        left -= 1
    leading = len(frames)
    for number, index in enumerate(order):
        labels, marked = crops.labels[index], set(crops.given[index])
        visible = _visible(labels, crops.least)
        if number == 0 and (crops.reliable[index] or index == annotated.index):
            marked |= visible
        marked |= visible - told
        if not left:
            marked = set()
        told |= marked
        left -= bool(marked)
        remember = bool(crops.reliable[index])
        frames.append(CropFrame(crops.images[index], labels, tuple(sorted(marked)), remember))
    results = list(segmenter.segment(frames))[leading:]
    return dict(zip(order, results))


def segment_clip(segmenter: CropSegmenter, crops: Crops, annotated: Annotated) -> dict[int, Probs]:
    """Segments the crops of a clip in both directions, and averages where both have been.

        probs = segment_clip(segmenter, crops, annotated)

    Returns:
        {index: float32 [N+1, h, w]} for all frames that a pass reaches.
    """
    passes = [run_pass(segmenter, crops, annotated, order) for order in orders(crops, annotated)]
    reached = sorted(set().union(*passes))
    return {
        index: np.mean([probs[index] for probs in passes if index in probs], 0) for index in reached
    }


def comes_back(
    segmenter: CropSegmenter, crops: Crops, annotated: Annotated, probs: dict[int, Probs]
) -> bool:
    """Whether a clip's masks lead back to the given mask: they are followed to it from the far end.

        comes_back(segmenter, crops, annotated, segment_clip(segmenter, crops, annotated))

    Args:
        segmenter: of `tracking.crops.crop_segmenter`.
        crops: of the clip.
        annotated: the annotated frame.
        probs: of `segment_clip`.
    """
    slot, anchor = crops.slot, annotated.index
    own = {index: (maps.argmax(0) == slot).sum() for index, maps in probs.items()}
    seen = [index for index in sorted(probs) if own[index] >= crops.least and index != anchor]
    if not seen:
        return False
    if anchor - seen[0] > seen[-1] - anchor:  # the far end is the first frame
        order = range(seen[0], min(anchor, len(crops.images)))
    else:
        order = range(seen[-1], max(anchor, -1), -1)
    labels = probs[order[0]].argmax(0).astype(np.uint8)
    begin = CropFrame(crops.images[order[0]], labels, tuple(sorted(_visible(labels, 1))))
    between = [
        CropFrame(crops.images[index], remember=bool(crops.reliable[index])) for index in order[1:]
    ]
    for recovered in segmenter.segment([begin, *between, CropFrame(annotated.image)]):
        last = recovered
    return closes_cycle(last.argmax(0) == slot, annotated.labels == slot)


def _visible(labels: npt.NDArray[np.uint8], least: float) -> set[int]:
    """The slots that have so many pixels."""
    slots, pixels = np.unique(labels, return_counts=True)
    return {int(slot) for slot, count in zip(slots, pixels) if slot and count >= least}
