"""The stages that work over a whole video that was segmented, one after the other."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.refine.refiner import Refiner, added, refine_program
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
    counts: dict[str, int],
    *,
    zoomer: Zoomer | None = None,
    refiner: Refiner | None = None,
) -> Iterator[RefinedFrame]:
    """Refines the masks of a video: small objects by the zoom first, then all boundaries.

        counts = {}
        for frame in refine_video(video, counts, zoomer=load_zoomer(config.refine, model)):
            labels = ids[frame.probs.argmax(0)]

    Args:
        video: that was segmented.
        counts: is filled with what was done in the frames so far: {name: how many}.
        zoomer: zooms small objects; None leaves them.
        refiner: refines boundaries; None leaves them.

    Yields:
        A `RefinedFrame` for every frame, in order.
    """
    frames = video.frames(0, video.length)
    zoom = None if zoomer is None else Zoom(video, zoomer.segmenter, zoomer.tracking)
    zoomed = iter(()) if zoom is None else iter(zoom)
    patches: dict[str, int] = {}
    for index, image in zip(range(video.length), frames):
        frame = next(zoomed, None)
        probs = video.probs(index) if frame is None else frame.probs
        if refiner is not None and video.ids:
            given = np.array([index in video.given[id] for id in video.ids])
            refined, own = refine_program(refiner.stage)(refiner.params, image, probs, given)
            probs, patches = np.asarray(refined), added(patches, own)
        if zoom is not None:
            counts.update({f"zoom_{name}": count for name, count in zoom.counts.items()})
        counts.update(patches)
        yield RefinedFrame(index, image, probs, {} if frame is None else frame.boxes)


def told(counts: dict[str, int]) -> str:
    """Puts what the zoom counted in one line.

        say(told({"zoom_objects": 1, "zoom_frames": 40, "zoom_trusted": 36, ...}))
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
