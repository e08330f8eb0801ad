"""Crop-then-zoom over a whole video: refined masks frame by frame, with counts of what was done."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.boxes.protocol import NORMAL
from vosjax.refine.zoom import trust
from vosjax.refine.zoom.choose import choose_clips
from vosjax.refine.zoom.clip import ZoomedClip, tracker_box, zoom_clip
from vosjax.refine.zoom.moments import LEAST
from vosjax.refine.zoom.paste import paste
from vosjax.refine.zoom.segmenter import CropSegmenter
from vosjax.refine.zoom.source import SegmentedVideo, Survey, Tracking, survey

COUNTS = (
    "objects",  # that were zoomed
    "clips",
    "frames",  # of all clips, those with given masks left out
    "trusted",  # of these, with a trust of 1
    "halved",  # with a trust of 1/2
    "rejected",  # with none, since tests failed
    "lost",  # left as they were, since neither mask nor tracker saw the object
    "outside",  # left as they were, since the object had left the frame
    *(f"failed_{name}" for name in trust.TESTS),
)


class ZoomedFrame(NamedTuple):
    """The result of a frame.

    index   of the frame
    probs   float32 [N+1, H, W], refined
    boxes   {id: (x, y, side, side)} of the crops that lie in the frame
    """

    index: int  # type: ignore[assignment]  # hides `tuple.index`
    probs: npt.NDArray[np.float32]
    boxes: dict[int, tuple[int, int, int, int]]


class Zoom:
    """Refines the masks of a video's small objects.

        zoom = Zoom(video, functools.partial(crop_segmenter, model))
        for frame in zoom:
            labels = frame.probs.argmax(0)
        zoom.counts      # {'objects': 1, 'clips': 2, 'frames': 140, 'trusted': 120, ...}

    Frames come in order. What is held is one clip of each zoomed object at a time, so memory does
    not grow with the video's length. A video without small objects gives its masks back as they
    were.

    counts  {name: int} of COUNTS, of the frames so far
    """

    def __init__(
        self,
        video: SegmentedVideo,
        segmenter: Callable[[int], CropSegmenter],
        tracking: Tracking | None = None,
    ) -> None:
        """Prepares the refinement; nothing is read before the first frame is asked for.

        Args:
            video: that was segmented.
            segmenter: segmenter(N) -> what segments the crops of a video with N objects. It may be
                another network than that of the first segmentation.
            tracking: a box tracker, or None to go by masks and their motion alone.
        """
        self.counts = dict.fromkeys(COUNTS, 0)
        self._video, self._segmenter, self._tracking = video, segmenter, tracking

    def __iter__(self) -> Iterator[ZoomedFrame]:
        """Yields a `ZoomedFrame` for every frame."""
        video = self._video
        areas, tracked = survey(video, self._tracking) if video.ids else Survey({}, {})
        given = {id: areas[id][video.given[id][0]] for id in video.ids if video.given[id]}
        seen = {
            id: np.array([there is not None and there.flag == NORMAL for there in own])
            for id, own in tracked.items()
        }
        clips = choose_clips({id: areas[id] for id in given}, given, seen)
        self.counts["objects"] = len({clip.id for clip in clips})
        segmenter = self._segmenter(len(video.ids)) if clips else None
        active: list[_Pasting] = []
        for index in range(video.length):
            active = [pasting for pasting in active if index < pasting.zoomed.clip.stop]
            for clip in clips:
                if clip.start == index:
                    assert segmenter is not None
                    parts = zoom_clip(video, clip, segmenter, tracked.get(clip.id), self._tracking)
                    self.counts["clips"] += len(parts)
                    active += [_Pasting(part, list(part.areas)) for part in parts]
            probs = first = video.probs(index)
            boxes = {}
            for pasting in active:
                path, number = pasting.zoomed.path, index - pasting.zoomed.clip.start
                if number < 0:
                    continue  # a later part of the clip
                x, y = (int(value) for value in path.origins[number])
                boxes[pasting.zoomed.clip.id] = (x, y, path.side, path.side)
                probs = self._refined(pasting, index, probs, first)
            yield ZoomedFrame(index, probs, boxes)

    def _refined(
        self,
        pasting: "_Pasting",
        index: int,
        probs: npt.NDArray[np.float32],
        first: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """A frame's probabilities with one crop laid over them, as far as it is trusted."""
        zoomed, counts, video = pasting.zoomed, self.counts, self._video
        number, channel = index - zoomed.clip.start, video.ids.index(zoomed.clip.id) + 1
        if index in video.given[zoomed.clip.id]:
            return probs
        counts["frames"] += 1
        if not zoomed.path.inside[number]:
            counts["outside"] += 1
            return probs
        if not zoomed.places[number].confidence or index not in zoomed.probs:
            counts["lost"] += 1
            return probs
        x, y = zoomed.path.origins[number]
        side = zoomed.path.side
        window = first[channel, y : y + side, x : x + side]
        maps = zoomed.at(index)
        passed = self._passed(pasting, index, maps[channel], window)
        for name, held in passed.items():
            counts[f"failed_{name}"] += not held
        value = trust.trust(passed)
        counts[{1.0: "trusted", 0.5: "halved", 0.0: "rejected"}[value]] += 1
        if value == 1:
            pasting.areas.append(_soft_area(maps[channel]))
        return paste(probs, maps, (x, y), channel, value) if value else probs

    def _passed(
        self,
        pasting: "_Pasting",
        index: int,
        own: npt.NDArray[np.float32],
        first: npt.NDArray[np.float32],
    ) -> dict[str, bool]:
        """Which of the five tests a frame passes."""
        zoomed, video = pasting.zoomed, self._video
        number = index - zoomed.clip.start
        (x, y), side = zoomed.path.origins[number], zoomed.path.side
        height, width = video.size
        mask = zoomed.masks[number]
        open_sides = x > 0, y > 0, x + side < width, y + side < height
        return {
            "overlap": trust.overlaps(own, first, tracker_box(zoomed, index)),
            "area": trust.area_is_steady(_soft_area(own), pasting.areas),
            "border": trust.keeps_off_border(own, open_sides),
            "certainty": trust.is_certain(
                own, mask.probability if mask is not None and video.soft else None
            ),
            "cycle": zoomed.cycle,
        }


class _Pasting(NamedTuple):
    """A clip whose frames are being pasted, and the areas of its trusted frames."""

    zoomed: ZoomedClip
    areas: list[float]


def _soft_area(probs: npt.NDArray[np.float32]) -> float:
    return float(probs[probs > LEAST].sum())
