"""A tracker over frames that are read ahead, dispatched one frame ahead."""

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
    """The error that refuses a mask of a frame that the recording lost."""
    return InputError(
        f"a mask was given for frame {index}, which cannot be decoded: give one for a frame "
        "before or after it"
    )


def _submit(
    tracker: Tracker, frame: Frame, masks: Any, before: Callable[[], FrameOutput] | None
) -> Callable[[], FrameOutput]:
    """The frame's output to come; of a lost one that of the frame before, where it is at hand."""
    index = tracker.time
    if not frame.missing:
        return tracker.submit(frame.image, masks.get(index))
    if index in masks:
        raise lost_mask(index)
    if before is None:
        return tracker.submit(frame.image)
    tracker.time += 1
    return before
