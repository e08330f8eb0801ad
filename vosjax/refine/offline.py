"""The stages that work over a whole video that was segmented, one after the other."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.refine import refiner as frame_stage
from vosjax.refine.pool import refine_frames
from vosjax.refine.refiner import Refiner, added
from vosjax.refine.zoom.segmenter import CropSegmenter
from vosjax.refine.zoom.source import SegmentedVideo, Tracking
from vosjax.refine.zoom.stage import Zoom


class Zoomer(NamedTuple):
    """Crop-then-zoom with the networks that it needs (`tracking.zoomer.load_zoomer`).

    segmenter  segmenter(N) -> what segments the crops of a video with N objects
    tracking   a box tracker, or None to go by masks and their motion alone
    settings   what decides the results, for records
    """

    segmenter: Callable[[int], CropSegmenter]
    tracking: Tracking | None
    settings: dict[str, Any]


class Stages(NamedTuple):
    """The stages that a config asks for: small objects are zoomed first, then boundaries refined.

    zoomer   zooms small objects; None leaves them
    refiner  refines boundaries; None leaves them
    """

    zoomer: Zoomer | None = None
    refiner: Refiner | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the results, for records; {} without any stage."""
        return {name: value for stage in self if stage for name, value in stage.settings.items()}

    @property
    def online(self) -> Refiner | None:
        """What refines frames while they are tracked: nothing where the zoom has to come first."""
        return self.refiner if self.zoomer is None else None

    def counts_lines(self, counts: Mapping[str, int]) -> list[str]:
        """Puts what was counted in a line for each stage."""
        lines = [zoom_line(counts)] if self.zoomer else []
        return lines + ([frame_stage.counts_line(self.refiner, counts)] if self.refiner else [])


class RefinedFrame(NamedTuple):
    """The result of a frame.

    index   of the frame
    image   uint8 [H, W, 3] RGB
    probs   float32 [N+1, H, W], refined; channel 0 the background
    boxes   {id: (x, y, side, side)} of the crops of the zoom that lie in the frame
    """

    index: int  # type: ignore[assignment]  # hides `tuple.index`
    image: npt.NDArray[np.uint8]
    probs: npt.NDArray[np.float32]
    boxes: dict[int, tuple[int, int, int, int]]


def refine_video(
    video: SegmentedVideo,
    stages: Stages,
    counts: dict[str, int],
) -> Iterator[RefinedFrame]:
    """Refines the masks of a video by one stage after the other.

        counts = {}
        for frame in refine_video(video, Stages(load_zoomer(config.refine, model)), counts):
            labels = ids[frame.probs.argmax(0)]

    Args:
        video: that was segmented.
        stages: what is done.
        counts: is filled with what was done in the frames so far: {name: how many}.

    Yields:
        A `RefinedFrame` for every frame, in order.
    """
    zoomed = _zoomed(video, stages.zoomer)
    if stages.refiner is None or not video.ids:
        for frame, zoom_counts in zoomed:
            counts.update(zoom_counts)
            yield frame
        return
    rows = (((frame, own), frame.image, frame.probs, _given(video, frame)) for frame, own in zoomed)
    patches: dict[str, int] = {}
    for (frame, zoom_counts), probs, own in refine_frames(stages.refiner, rows):
        patches = added(patches, own)
        counts.update(zoom_counts | patches)
        yield frame._replace(probs=np.asarray(probs))


def _zoomed(
    video: SegmentedVideo, zoomer: Zoomer | None
) -> Iterator[tuple[RefinedFrame, dict[str, int]]]:
    """All frames with their small objects zoomed, and what was counted up to each of them."""
    zoom = None if zoomer is None else Zoom(video, zoomer.segmenter, zoomer.tracking)
    zoomed = iter(()) if zoom is None else iter(zoom)
    for index, image in zip(range(video.length), video.frames(0, video.length)):
        frame = next(zoomed, None)
        counts = {} if zoom is None else {f"zoom_{name}": n for name, n in zoom.counts.items()}
        if frame is None:
            yield RefinedFrame(index, image, video.probs(index), {}), counts
        else:
            yield RefinedFrame(index, image, frame.probs, frame.boxes), counts


def _given(video: SegmentedVideo, frame: RefinedFrame) -> npt.NDArray[np.bool_]:
    return np.array([frame.index in video.given[id] for id in video.ids])


class RefinedLabels(NamedTuple):
    """The result of a frame as labels.

    index   of the frame
    image   uint8 [H, W, 3] RGB
    labels  uint8 [H, W] of ids, refined
    counts  {name: how many}, what was done in this frame
    boxes   {id: (x, y, side, side)} of the crops of the zoom that lie in the frame
    """

    index: int  # type: ignore[assignment]  # hides `tuple.index`
    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    counts: dict[str, int]
    boxes: dict[int, tuple[int, int, int, int]]


def refine_labels_of(video: SegmentedVideo, stages: Stages) -> Iterator[RefinedLabels]:
    """Does `refine_video`, and gives labels and the counts of every single frame.

        for frame in refine_labels_of(video, stages):
            write_label_png(path, frame.labels)

    Args:
        video: that was segmented.
        stages: what is done.
    """
    ids = np.array([0, *video.ids], np.uint8)
    counts: dict[str, int] = {}
    before: dict[str, int] = {}
    for frame in refine_video(video, stages, counts):
        own = {name: count - before.get(name, 0) for name, count in counts.items()}
        before = dict(counts)
        labels = ids[frame.probs.argmax(0)]
        yield RefinedLabels(frame.index, frame.image, labels, own, frame.boxes)


def zoom_line(counts: Mapping[str, int]) -> str:
    """Puts what the zoom counted in one line.

        say(zoom_line({"zoom_objects": 1, "zoom_frames": 40, "zoom_trusted": 36, ...}))
        # zoom: 1 small objects, 40 frames; 36 trusted, 0 half, 4 rejected, 0 lost, 0 outside

    Args:
        counts: of `refine_video`, with a zoomer.
    """
    parts = ("trusted", "halved", "rejected", "lost", "outside")
    outcome = ", ".join(f"{counts.get(f'zoom_{name}', 0)} {name}" for name in parts)
    return (
        f"zoom: {counts.get('zoom_objects', 0)} small objects, "
        f"{counts.get('zoom_frames', 0)} frames of crops: {outcome}"
    )
