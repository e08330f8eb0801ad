"""A clip, segmented a second time: its crops are read, segmented, and kept to be pasted."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.boxes.protocol import NORMAL
from vosjax.refine.zoom import crops as cropping
from vosjax.refine.zoom.agreement import Place, Seen
from vosjax.refine.zoom.backward import track_both_ways
from vosjax.refine.zoom.choose import VISIBLE, Clip, scale
from vosjax.refine.zoom.moments import MaskBox, centre_of, mask_box
from vosjax.refine.zoom.passes import Annotated, Crops, comes_back, segment_clip
from vosjax.refine.zoom.path import PERCENTILE, Path, crop_path, split_by_size
from vosjax.refine.zoom.places import Places, find_places, reliable_frames
from vosjax.refine.zoom.segmenter import CropSegmenter
from vosjax.refine.zoom.source import SegmentedVideo, Tracking
from vosjax.refine.zoom.trust import HISTORY

LEVELS = 255  # of a kept probability


class ZoomedClip(NamedTuple):
    """The second segmentation of a clip.

    clip     the frames, and the object
    path     of the crops
    places   where the object is, for each frame
    masks    what its first masks say, for each frame
    seen     what the box tracker says, for each frame
    probs    {index of the frame in the video: uint8 [N+1, S, S] of 255}
    cycle    whether the masks lead back to the given one
    areas    soft areas of the reliable first masks at the clip's beginning
    """

    clip: Clip
    path: Path
    places: list[Place]
    masks: list[MaskBox | None]
    seen: list[Seen | None]
    probs: dict[int, npt.NDArray[np.uint8]]
    cycle: bool
    areas: list[float]

    def at(self, index: int) -> npt.NDArray[np.float32]:
        """The probabilities of a frame of the video, float32 [N+1, S, S], summing to one."""
        probs = self.probs[index].astype(np.float32)
        normalised: npt.NDArray[np.float32] = probs / probs.sum(0)
        return normalised


def zoom_clip(
    video: SegmentedVideo,
    clip: Clip,
    segmenter: CropSegmenter,
    tracked: Sequence[Seen | None] | None = None,
    tracking: Tracking | None = None,
) -> list[ZoomedClip]:
    """Segments a clip again, in parts in which the object's size varies little.

        parts = zoom_clip(video, Clip(3, 20, 80), segmenter)

    Args:
        video: that was segmented.
        clip: the frames, and the object.
        segmenter: of `tracking.crops.crop_segmenter`.
        tracked: what the box tracker says of every frame of the video, if there is one.
        tracking: the box tracker, which then also runs backward through the clip.

    Returns:
        A `ZoomedClip` for each part; none where the object is not seen at all.
    """
    seen: list[Seen | None] | None = None
    if tracked is not None:
        seen = list(tracked[clip.start : clip.stop])
    found = find_places(video, clip, seen)
    if found is not None and seen is not None and tracking is not None:
        seen = track_both_ways(video, clip, found, seen, tracking)
        found = find_places(video, clip, seen)
    if found is None:
        return []
    boxes = np.array([place.box for place in found.places])
    return [
        _zoom_part(
            video,
            Clip(clip.id, clip.start + start, clip.start + stop),
            Places(found.places[start:stop], found.masks[start:stop]),
            segmenter,
            [None] * (stop - start) if seen is None else seen[start:stop],
        )
        for start, stop in split_by_size(boxes)
    ]


def _zoom_part(
    video: SegmentedVideo,
    clip: Clip,
    found: Places,
    segmenter: CropSegmenter,
    seen: list[Seen | None],
) -> ZoomedClip:
    places, masks = found
    boxes = np.array([place.box for place in places])
    held = np.array([place.hold for place in places])
    path = crop_path(boxes, held, [place.confidence for place in places], video.size)
    crops = _read_crops(video, clip, path, reliable_frames(places, masks), segmenter)
    annotated = _annotated(video, clip, path, boxes, segmenter)
    if crops is None or annotated is None:
        return ZoomedClip(clip, path, places, masks, seen, {}, False, [])
    probs = segment_clip(segmenter, crops, annotated)
    cycle = comes_back(segmenter, crops, annotated, probs)
    kept = {
        clip.start + index: np.rint(cropping.resize_probs(maps, path.side) * LEVELS).astype(
            np.uint8
        )
        for index, maps in probs.items()
    }
    areas = [mask.area for mask, sure in zip(masks, crops.reliable) if mask and sure]
    return ZoomedClip(clip, path, places, masks, seen, kept, cycle, areas[:HISTORY])


def _read_crops(
    video: SegmentedVideo,
    clip: Clip,
    path: Path,
    reliable: npt.NDArray[np.bool_],
    segmenter: CropSegmenter,
) -> Crops | None:
    """The crops of a clip; None where the video ends before it."""
    size = segmenter.size
    images, labels = [], []
    frames = video.frames(clip.start, clip.stop)
    for index, image, origin in zip(range(clip.start, clip.stop), frames, path.origins):
        images.append(cropping.resize_image(cropping.crop(image, origin, path.side), size))
        labels.append(_labels(video, index, origin, path.side, size))
    if not images:
        return None
    given = tuple(
        tuple(slot for slot, id in enumerate(video.ids, 1) if index in video.given[id])
        for index in range(clip.start, clip.stop)
    )
    return Crops(
        np.stack(images),
        np.stack(labels),
        reliable[: len(images)],
        given,
        video.ids.index(clip.id) + 1,
        VISIBLE * (scale(video.size) * size[0] / path.side) ** 2,
    )


def _annotated(
    video: SegmentedVideo,
    clip: Clip,
    path: Path,
    boxes: npt.NDArray[np.float64],
    segmenter: CropSegmenter,
) -> Annotated | None:
    """The crop of the nearest annotated frame, in which the object is as large as in the clip."""
    given = video.given[clip.id]
    before = [index for index in given if index <= clip.start]
    index = before[-1] if before else given[0]
    box = mask_box(video.probs(index)[video.ids.index(clip.id) + 1])
    image = next(video.frames(index, index + 1), None)
    if box is None or image is None:
        return None
    ratio = max(box.box[2:]) / np.percentile(boxes[:, 2:].max(1), PERCENTILE)
    side = max(int(round(path.side * ratio)), 2)
    frame = np.array(video.size[::-1])
    origin = np.rint(centre_of(box.box) - side / 2)
    origin = np.where(side <= frame, np.clip(origin, 0, frame - side), origin)
    size = segmenter.size
    crop = cropping.resize_image(cropping.crop(image, origin, side), size)
    return Annotated(crop, _labels(video, index, origin, side, size), index - clip.start)


def _labels(
    video: SegmentedVideo, index: int, origin: Any, side: int, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """The slots of a frame's first masks in a crop."""
    slots = video.probs(index).argmax(0).astype(np.uint8)
    return cropping.resize_labels(cropping.crop_labels(slots, origin, side), size)


def tracker_box(zoomed: ZoomedClip, index: int) -> npt.NDArray[np.float64] | None:
    """Returns the box tracker's box in the crop of a frame, if it sees the object without doubt.

        box = tracker_box(zoomed, index=31)

    Args:
        zoomed: of `zoom_clip`.
        index: of the frame in the video.
    """
    number = index - zoomed.clip.start
    seen = zoomed.seen[number]
    if seen is None or seen.flag != NORMAL:
        return None
    x, y = zoomed.path.origins[number]
    box: npt.NDArray[np.float64] = seen.box - [x, y, 0, 0]
    return box
