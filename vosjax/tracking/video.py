"""`segment()`: a generator over a video, which is decoded ahead and dispatched one frame ahead."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from vosjax.io.masks import read_masks
from vosjax.io.scores import ObjectScore
from vosjax.io.video import Video, open_video, prefetch
from vosjax.loading.pretrained import Loaded, configure, load
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.slots import HostArray
from vosjax.tracking.step import remembered_frames
from vosjax.tracking.tracker import Tracker

START = 4  # memory frames to begin with where a video's length is unknown


class FrameResult(NamedTuple):
    """What `segment` says of a frame.

    index   from 0
    name    file stem of a folder's image, else the index in five digits
    labels  uint8 [H, W] of object ids, 0 the background
    scores  {id: `ObjectScore`} of every object given so far
    """

    index: int  # type: ignore[assignment]  # a tuple's own method, which nobody needs here
    name: str
    labels: HostArray
    scores: dict[int, ObjectScore]


def segment(
    video: Any,
    masks: Any,
    *,
    model: Loaded | str | os.PathLike[str] | None = None,
    gap: int | None = None,
    limit: int | None = None,
    top_k: int | None = None,
    size: int | None = None,
) -> Iterator[FrameResult]:
    """Segments a video, given the masks of some of its frames.

        for index, name, labels, scores in segment("dog.mp4", "dog.png"):
            write_label_png(f"{name}.png", labels)

    Frames are read lazily and results come as they are made; memory does not grow with the video.

    Args:
      video: a video file, a folder of images, a camera's index, or any iterable of uint8
        [H, W, 3] RGB frames.
      masks: a mask file of frame 0, a folder of masks, 'FRAME=FILE' strings, an array [H, W], or
        {frame index: array or file}; see `io.masks.read_masks`.
      model: of `load`, or what `load` takes; None is the embedded default.
      gap: frames from one remembered frame to the next; None takes the model's own.
      limit: most remembered frames; None takes the model's own.
      top_k: reads the k best memory places of each query only; None takes the model's own.
      size: most pixels of the short side that the network sees.

    Yields:
      a `FrameResult` for every frame of the video.

    Raises:
      InputError: a video or mask that cannot be used; what was read before is yielded first.
    """
    if not isinstance(model, Loaded):
        model = load(model)
    if top_k is not None:
        model = configure(model, top_k=top_k)
    source, video = video, open_video(video)
    masks = read_masks(
        masks, video.names, size=video.size, count=exact_length(source, video)
    ).labels
    tracker = make_tracker(model, video, masks, gap=gap, limit=limit, size=size)
    for index, _, (labels, scores) in run_tracker(tracker, video.frames(), masks):
        yield FrameResult(index, name_of(video, index), labels, scores)


def exact_length(source: Any, video: Video) -> int | None:
    """The number of frames if it is known for sure; a video file's own word is not enough.

    count = exact_length("frames/", open_video("frames/"))
    """
    is_file = isinstance(source, (str, os.PathLike)) and video.names is None
    return None if is_file else video.count


def name_of(video: Video, index: int) -> str:
    """What a frame is called in tables.

    name_of(video, 12)      # '00012', or the stem of the image
    """
    return video.names[index] if video.names else f"{index:05d}"


def make_tracker(
    model: Loaded,
    video: Video,
    masks: dict[int, HostArray],
    *,
    gap: int | None = None,
    limit: int | None = None,
    size: int | None = None,
) -> Tracker:
    """A tracker with room for a video's objects and, if its length is known, for its memory.

        tracker = make_tracker(load(), video, masks)

    Args:
      model: of `load`.
      video: that is to be followed.
      masks: {frame index: labels}.
      gap: as for `segment`.
      limit: likewise.
      size: likewise.
    """
    gap = model.config["gap"] if gap is None else gap
    objects = len(set().union(*(np.unique(labels).tolist() for labels in masks.values())) - {0})
    capacity = START
    if video.count is not None:
        capacity = max(remembered_frames(video.count, masks, gap), 1)
    return Tracker(model, objects=objects, gap=gap, capacity=capacity, limit=limit, size=size)


def run_tracker(
    tracker: Tracker,
    frames: Iterable[HostArray],
    masks: dict[int, HostArray],
    *,
    pause: Callable[[int], bool] = lambda index: False,
) -> Iterator[tuple[int, HostArray, FrameOutput]]:
    """Runs a tracker over frames; frame t+1 is under way while the result of t is handed out.

        for index, frame, (labels, scores) in run_tracker(tracker, video.frames(), masks):
            show(frame, labels)

    Args:
      tracker: from its `time` on.
      frames: from that frame on.
      masks: {frame index: labels}.
      pause: pause(index) -> True holds the next frame back until this one's result has been
        used: then the tracker's state is exactly that after frame `index`.

    Yields:
      index, frame and `FrameOutput`.

    Raises:
      InputError, ValueError: what came with a frame, after the results of the frames before it.
    """
    waiting, failure = None, None
    frames = prefetch(frames)
    while True:
        try:
            frame = next(frames, None)
            following = None
            if frame is not None:
                index = tracker.time
                following = index, frame, tracker.submit(frame, masks.get(index))
        except Exception as error:
            failure, following = error, None
        if waiting is not None:
            yield *waiting[:2], waiting[2]()
        if failure is not None:
            raise failure
        if following is None:
            return
        waiting = following
        if pause(following[0]):
            yield *following[:2], following[2]()
            waiting = None
