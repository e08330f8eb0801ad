"""`segment()`: a generator over a video, which is decoded ahead and dispatched one frame ahead."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from vosjax.io.masks import read_masks
from vosjax.io.video import Video, open_video, prefetch
from vosjax.io.writer import ObjectScore
from vosjax.loading.pretrained import Loaded, configure, load
from vosjax.tracking.tracker import FrameOutput, Tracker

START = 4  # memory frames to begin with where a video's length is unknown


class FrameResult(NamedTuple):
    """One frame.

    index   from 0
    name    file stem of a folder's image, else the index in five digits
    labels  uint8 [H, W] of object ids, 0 the background
    scores  {id: `Score`} of every object seen so far
    """

    index: int
    name: str
    labels: np.ndarray
    scores: dict[int, ObjectScore]


def segment(
    video: Any,
    masks: Any,
    *,
    model: Loaded | str | os.PathLike | None = None,
    mem_every: int | None = None,
    max_mem_frames: int | None = None,
    top_k: int | None = None,
    max_short_side: int | None = None,
) -> Iterator[FrameResult]:
    """Segments a video, given the masks of some of its frames.

    Frames are read lazily and results come as they are made; memory does not grow with the video.

    Args:
      video: a video file, a folder of images, a camera's index, or any iterable of uint8
        [H, W, 3] RGB frames.
      masks: a mask file of frame 0, a folder of masks, 'FRAME=FILE' strings, an array [H, W], or
        {frame index: array or file}; see `io.masks.read_masks`.
      model: of `load`, or what `load` takes; None is the embedded default.
      mem_every: frames from one remembered frame to the next; None takes the model's own.
      max_mem_frames: most remembered frames; None takes the model's own.
      top_k: reads the k best memory places of each query only; None takes the model's own.
      max_short_side: most pixels of the short side that the network sees.

    Yields:
      a `Result` for every frame of the video.

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
    tracker = make_tracker(
        model,
        video,
        masks,
        mem_every=mem_every,
        max_mem_frames=max_mem_frames,
        max_short_side=max_short_side,
    )
    for index, _, (labels, scores) in run_tracker(tracker, video.frames(), masks):
        yield FrameResult(index, name_of(video, index), labels, scores)


def exact_length(source: Any, video: Video) -> int | None:
    """The number of frames if it is known for sure; a video file's own word is not enough."""
    is_file = isinstance(source, (str, os.PathLike)) and video.names is None
    return None if is_file else video.count


def name_of(video: Video, index: int) -> str:
    """What a frame is called in tables."""
    return video.names[index] if video.names else f"{index:05d}"


def make_tracker(
    model: Loaded,
    video: Video,
    masks: dict[int, np.ndarray],
    *,
    mem_every: int | None = None,
    max_mem_frames: int | None = None,
    max_short_side: int | None = None,
) -> Tracker:
    """A tracker with room for a video's objects and, if its length is known, for its memory."""
    mem_every = model.config["mem_every"] if mem_every is None else mem_every
    objects = len(set().union(*(np.unique(labels).tolist() for labels in masks.values())) - {0})
    capacity = START
    if video.count is not None:
        capacity = len(masks) + max(video.count - 1 - min(masks), 0) // mem_every
    return Tracker(
        model,
        objects=objects,
        mem_every=mem_every,
        capacity=capacity,
        max_mem_frames=max_mem_frames,
        max_short_side=max_short_side,
    )


def run_tracker(
    tracker: Tracker,
    frames: Iterable[np.ndarray],
    masks: dict[int, np.ndarray],
    *,
    pause: Callable[[int], bool] = lambda index: False,
) -> Iterator[tuple[int, np.ndarray, FrameOutput]]:
    """Yields (index, frame, `Tracked`); frame t+1 is under way while t's result is handed out.

    Args:
      tracker: from its `time` on.
      frames: from that frame on.
      masks: {frame index: labels}.
      pause: pause(index) -> True holds the next frame back until this one's result has been
        used: then the tracker's state is exactly that after frame `index`.

    An error that comes with a frame is raised after the results of those before it.
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
