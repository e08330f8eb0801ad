"""`segment()`: a generator over a video, which is decoded ahead and dispatched one frame ahead."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError, Note
from vosjax.io.masks import read_masks
from vosjax.io.scores import ObjectScore
from vosjax.io.video import Frame, Video, open_video, prefetch
from vosjax.loading.pretrained import Loaded, configure, load
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.slots import HostArray
from vosjax.tracking.step import remembered_frames
from vosjax.tracking.tracker import Tracker, check_count

START = 4  # memory frames to begin with where a video's length is unknown


class FrameResult(NamedTuple):
    """What `segment` says of a frame.

    index    from 0
    name     file stem of a folder's image, else the index in five digits
    labels   uint8 [H, W] of object ids, 0 the background
    scores   {id: `ObjectScore`} of every object given so far
    missing  the recording lost this frame; labels and scores are those of the frame before
    """

    index: int  # type: ignore[assignment]  # a tuple's own method, which nobody needs here
    name: str
    labels: HostArray
    scores: dict[int, ObjectScore]
    missing: bool = False


def segment(
    video: Any,
    masks: Any,
    *,
    model: Loaded | str | os.PathLike[str] | None = None,
    mem_every: int | None = None,
    max_mem_frames: int | None = None,
    top_k: int | None = None,
    max_short_side: int | None = None,
) -> Iterator[FrameResult]:
    """Segments a video, given the masks of some of its frames.

        for result in vosjax.segment("dog.mp4", "dog.png"):
            print(result.index, result.labels.shape)

    Video and masks are opened by the call; then frames are read lazily and results come as they
    are made. Memory does not grow with the video. What is worth knowing about the video (frames
    that it lost, files of a folder that are left out) is warned of.

    Args:
      video: whatever `io.video.open_video` takes: a video file, a folder of images, a camera's
        index, an address, or any iterable of uint8 [H, W, 3] RGB frames. Frames are copied as they
        are taken, and masks at once: their memory may be used again.
      masks: a mask file of frame 0, a folder of masks, 'FRAME=FILE' strings, an array [H, W] or
        [T, H, W], or {frame index: array or file}; see `io.masks.read_masks`. What could have been
        read otherwise is said in warnings.
      model: of `load`, or what `load` takes; None is the embedded default.
      mem_every: frames from one remembered frame to the next; None takes the model's own.
      max_mem_frames: most remembered frames; None takes the model's own.
      top_k: reads the k best memory places of each query only; None takes the model's own.
      max_short_side: most pixels of the short side that the network sees.

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
    user_masks = read_masks(masks, video.names, size=video.size, count=exact_length(source, video))
    for doubt in user_masks.doubts:
        warnings.warn(doubt, Note, stacklevel=2)
    masks = user_masks.labels
    tracker = make_tracker(
        model,
        video,
        masks,
        mem_every=mem_every,
        max_mem_frames=max_mem_frames,
        max_short_side=max_short_side,
    )
    for note in video.notes:
        warnings.warn(note, Note, stacklevel=2)
    return _results(tracker, video, masks)


def _results(tracker: Tracker, video: Video, masks: dict[int, np.ndarray]) -> Iterator[FrameResult]:
    for index, frame, (labels, scores) in run_tracker(tracker, video.stream(0), masks):
        yield FrameResult(index, name_of(video, index), labels, scores, frame.missing)
    for note in video.findings.reading(video.name):
        warnings.warn(note, Note, stacklevel=2)


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
    mem_every: int | None = None,
    max_mem_frames: int | None = None,
    max_short_side: int | None = None,
) -> Tracker:
    """A tracker with room for a video's objects and, if its length is known, for its memory.

        tracker = make_tracker(load(), video, masks)

    Args:
      model: of `load`.
      video: that is to be followed.
      masks: {frame index: labels}.
      mem_every: as for `segment`.
      max_mem_frames: likewise.
      max_short_side: likewise.
    """
    mem_every = model.config["mem_every"] if mem_every is None else mem_every
    check_count("mem_every", mem_every)
    objects = len(set().union(*(np.unique(labels).tolist() for labels in masks.values())) - {0})
    capacity = START
    if video.length is not None:
        capacity = max(remembered_frames(video.length, masks, mem_every), 1)
        capacity = max(capacity, START) if video.count is None else capacity
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
    frames: Iterable[Frame],
    masks: dict[int, HostArray],
    *,
    pause: Callable[[int], bool] = lambda index: False,
    stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, Frame, FrameOutput]]:
    """Runs a tracker over frames; frame t+1 is under way while the result of t is handed out.

        for index, frame, (labels, scores) in run_tracker(tracker, video.stream(), masks):
            show(frame.image, labels)

    A frame that the recording lost gets the output of the one before it; the network does not see
    it.

    Args:
      tracker: from its `time` on.
      frames: from that frame on, as `Video.stream` gives them.
      masks: {frame index: labels}.
      pause: pause(index) -> True holds the next frame back until this one's result has been
        used: then the tracker's state is exactly that after frame `index`. Frames that are lost
        are not held back, for they need the output of the one before.
      stop: looked at while the source gives nothing; the frames end when it is true.

    Yields:
      index, frame and `FrameOutput`.

    Raises:
      InputError, ValueError: what came with a frame, and a mask for a frame that is lost; after
        the results of the frames before it.
    """
    waiting = before = None
    frames = prefetch(frames, stop=stop)
    while True:
        frame = following = failure = None
        try:
            frame = next(frames, None)
        except Exception as error:
            failure = error
        lost = frame is not None and frame.missing
        if waiting is not None and not lost and pause(waiting[0]):
            yield *waiting[:2], waiting[2]()
            waiting = None
        if frame is not None:
            try:
                index = tracker.time
                following = index, frame, _submit(tracker, frame, masks, before)
                before = following[2]
            except Exception as error:
                failure = error
        if waiting is not None:
            yield *waiting[:2], waiting[2]()
        if failure is not None:
            raise failure
        if following is None:
            return
        waiting = following


def _submit(tracker: Tracker, frame: Frame, masks, before) -> Callable[[], FrameOutput]:
    """The frame's output to come; of a lost one that of the frame before, where it is at hand."""
    index = tracker.time
    if not frame.missing:
        return tracker.submit(frame.image, masks.get(index))
    if index in masks:
        raise InputError(
            f"a mask was given for frame {index}, which cannot be decoded: give one for a frame "
            "before or after it"
        )
    if before is None:
        return tracker.submit(frame.image)
    tracker.time += 1
    return before
