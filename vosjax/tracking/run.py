"""Runs a tracker over frames that are read ahead, with one frame dispatched ahead."""

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from vosjax.errors import InputError
from vosjax.io.video import Frame, prefetch
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.slots import HostArray
from vosjax.tracking.tracker import Tracker


def run_tracker(
    tracker: Tracker,
    frames: Iterable[Frame],
    masks: Mapping[int, HostArray],
    *,
    pause: Callable[[int], bool] = lambda index: False,
    stop: Callable[[], bool] | None = None,
) -> Generator[tuple[int, Frame, FrameOutput]]:
    """Runs a tracker over frames; frame t+1 is computed while the result of frame t is being used.

        for index, frame, (labels, scores) in run_tracker(tracker, video.stream(), masks):
            show(frame.image, labels)

    A frame that the recording lost gets the output of the frame before it; the network does not see
    such a frame.

    Args:
        tracker: the tracker, which continues from its `time`.
        frames: the frames from the tracker's `time` on, as `Video.stream` yields them.
        masks: {frame index: labels [H, W] of object ids}.
        pause: pause(index) returns True to hold back the next frame until the result of this one
            has been used; the tracker's state is then exactly that after frame `index`. A lost
            frame is not held back, because it needs the output of the frame before it.
        stop: asked while the source delivers nothing; the frames end when it returns True.

    Yields:
        The index, the frame and its `FrameOutput`.

    Raises:
        InputError: a frame cannot be read, or a mask was given for a lost frame; it is raised after
            the results of the frames before.
        ValueError: a frame or a mask has another size, shape or dtype; raised likewise.
    """
    waiting = before = None
    with contextlib.closing(prefetch(frames, stop=stop)) as frames:
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


def lost_mask(index: int) -> InputError:
    """Returns the error that refuses a mask given for a frame that the recording lost.

    raise lost_mask(7)
    """
    return InputError(
        f"a mask was given for frame {index}, which cannot be decoded: give one for a frame "
        "before or after it"
    )


def _submit(
    tracker: Tracker, frame: Frame, masks: Any, before: Callable[[], FrameOutput] | None
) -> Callable[[], FrameOutput]:
    """Returns a function that gives the frame's output; a lost frame has that of the one before."""
    index = tracker.time
    if not frame.missing:
        return tracker.submit(frame.image, masks.get(index))
    if index in masks:
        raise lost_mask(index)
    if before is None:
        return tracker.submit(frame.image)
    tracker.time += 1
    return before
