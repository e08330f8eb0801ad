"""The backward pass: a tracker runs over a video in reverse, and its outputs wait in files."""

import io
import os
import pathlib
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.files import write_bytes
from vosjax.io.scores import ObjectScore
from vosjax.io.video import Frame, Video, read_backward
from vosjax.tracking.directions import given_frames, merge
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.run import run_tracker
from vosjax.tracking.slots import HostArray
from vosjax.tracking.tracker import Tracker


class Outputs:
    """The outputs of a backward pass, kept in a folder as one compressed file per frame.

    outputs = Outputs("run/backward")
    outputs.write(60, output)
    labels, scores = outputs.read(60)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = pathlib.Path(folder)

    def write(self, index: int, output: FrameOutput) -> None:
        """Writes the output of one frame.

        Args:
            index: index of the frame.
            output: labels uint8 [H, W] and the scores of the objects.

        Raises:
            DiskFull: the disk is full.
        """
        buffer = io.BytesIO()
        scores = np.array([tuple(score) for score in output.scores.values()], np.float64)
        np.savez_compressed(buffer, labels=output.labels, scores=scores.reshape(-1, 5))
        write_bytes(self._file(index), buffer.getbuffer())

    def read(self, index: int) -> FrameOutput:
        """Reads the output of one frame.

        Args:
            index: index of the frame.

        Returns:
            The output as it was written.

        Raises:
            InputError: the frame's file is missing or damaged.
        """
        path = self._file(index)
        try:
            with np.load(path, allow_pickle=False) as file:
                labels, rows = file["labels"], file["scores"]
        except (OSError, LookupError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path} is missing or damaged ({error}): remove the folder {self.folder}, and "
                "run the same command again"
            ) from error
        scores = [ObjectScore(int(id), p, m, int(area), area == 0) for id, p, m, area, _ in rows]
        return FrameOutput(labels, {score.object: score for score in scores})

    @property
    def complete(self) -> bool:
        """Whether the file of frame 0, the last frame of the pass, exists."""
        return self._file(0).exists()

    def _file(self, index: int) -> pathlib.Path:
        return self.folder / f"{index:05d}.npz"


def run_backward(
    tracker: Tracker,
    video: Video,
    masks: Mapping[int, HostArray],
    start: int,
    *,
    pause: Callable[[int], bool] = lambda index: False,
    stop: Callable[[], bool] | None = None,
) -> Generator[tuple[int, FrameOutput]]:
    """Runs a tracker over a video from frame `start` back to frame 0.

        for index, output in run_backward(tracker, video, masks, start=max(masks)):
            outputs.write(index, output)

    The tracker's `time` counts the frames of the pass, so that a restored tracker continues where
    it stopped. A frame that the recording lost gets the output of the frame after it; a mask given
    for such a frame is ignored here, since the forward pass reports it.

    Args:
        tracker: the tracker; the pass continues from its `time`.
        video: the video, which must be readable more than once.
        masks: {frame index: labels [H, W] of object ids}.
        start: index of the frame at which the pass begins; the video may end before it.
        pause: as for `run_tracker`, called with the frame's index in the video.
        stop: as for `run_tracker`.

    Yields:
        The index and the `FrameOutput` of each frame, in descending order of the indices.

    Raises:
        InputError: a frame cannot be read.
    """
    by_time = {start - index: labels for index, labels in masks.items() if index <= start}

    def frames() -> Iterator[Frame]:
        begun = tracker.time > 0
        for index, frame in read_backward(video, start - tracker.time):
            if not begun:  # a video that ends before `start` begins the pass later
                begun, tracker.time = True, start - index
            if frame.missing:
                by_time.pop(start - index, None)
            yield frame

    for time, _, output in run_tracker(
        tracker, frames(), by_time, pause=lambda time: pause(start - time), stop=stop
    ):
        yield start - time, output


class Unread(NamedTuple):
    """A frame that cannot be read, at which a backward pass ended.

    index  index of the frame
    error  why it cannot be read
    """

    index: int  # type: ignore[assignment]  # a tuple's own method, which nobody needs here
    error: InputError


def up_to_damage(
    outputs: Iterable[tuple[int, FrameOutput]], start: int, unread: list[Unread]
) -> Iterator[tuple[int, FrameOutput]]:
    """Yields the outputs of `run_backward` up to the first frame that cannot be read.

        for index, output in up_to_damage(run_backward(...), start, unread):
            outputs.write(index, output)

    Args:
        outputs: the outputs of a backward pass.
        start: index of the pass's first frame.
        unread: an empty list, to which the unreadable frame is appended; it stays empty if the pass
            reaches frame 0.

    Yields:
        The index and the `FrameOutput` of each frame.
    """
    index = start + 1
    try:
        for index, output in outputs:
            yield index, output
    except InputError as error:
        unread.append(Unread(index - 1, error))


class Merger:
    """Combines the outputs of the backward pass with those of the forward pass, frame by frame.

    merger = Merger(outputs, masks, start=60)
    output = merger(0, frame, output)
    """

    def __init__(
        self,
        outputs: Outputs,
        masks: Mapping[int, HostArray],
        start: int,
        unread: Unread | None = None,
    ) -> None:
        """Prepares to combine the outputs of a backward pass with those of a forward pass.

        Args:
            outputs: the outputs of the backward pass.
            masks: the given masks, {frame index: labels}.
            start: index of the frame at which the backward pass began.
            unread: the frame at which the backward pass ended early, if it did; the frames before
                that one have the output of the forward pass alone.
        """
        self._outputs, self._start, self._given = outputs, start, given_frames(masks)
        self._unread = unread
        self._before: FrameOutput | None = None

    def __call__(self, index: int, frame: Frame, forward: FrameOutput) -> FrameOutput:
        """Combines a frame's outputs of both passes; after `start`, the forward pass's is kept.

        A frame that the recording lost gets the output of the frame before it.

        Args:
            index: index of the frame.
            frame: the frame as it was read.
            forward: the output of the forward pass.

        Raises:
            InputError: the frame is the one that the backward pass could not read, or a later one.
        """
        if self._unread is not None:
            if index >= self._unread.index:
                raise self._unread.error
            return forward
        if frame.missing and self._before is not None:
            return self._before
        if index <= self._start:
            forward = merge(index, forward, self._outputs.read(index), self._given)
        self._before = forward
        return forward
