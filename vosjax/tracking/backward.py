"""The backward pass: a tracker over a video's frames in reverse, whose outputs wait in files."""

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
    """The outputs of a backward pass in a folder, a compressed file for each frame."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = pathlib.Path(folder)

    def write(self, index: int, output: FrameOutput) -> None:
        """Keeps the output of a frame.

        Raises:
          DiskFull: the disk is full.
        """
        buffer = io.BytesIO()
        scores = np.array([tuple(score) for score in output.scores.values()], np.float64)
        np.savez_compressed(buffer, labels=output.labels, scores=scores.reshape(-1, 5))
        write_bytes(self._file(index), buffer.getbuffer())

    def read(self, index: int) -> FrameOutput:
        """The output of a frame.

        Raises:
          InputError: it is missing or damaged.
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
        """Whether frame 0, the last one of the pass, is there."""
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
    """Runs a tracker over a video from frame `start` to frame 0.

        for index, output in run_backward(tracker, video, masks, start=max(masks)):
            outputs.write(index, output)

    The tracker's `time` counts the frames from `start` on, so that a tracker that was saved goes on
    where it was. A frame that the recording lost gets the output of the one after it; a mask that
    was given for it is left for the forward pass to complain of.

    Args:
      tracker: from its `time` on.
      video: that can be read more than once.
      masks: {frame index: labels}.
      start: index of the frame at which the pass began; the video may end before it.
      pause: as for `run_tracker`, by the frame's index.
      stop: likewise.

    Yields:
      index and `FrameOutput`.

    Raises:
      InputError: a frame that cannot be read.
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
    """A frame at which a backward pass ended, as it cannot be read."""

    index: int  # type: ignore[assignment]  # a tuple's own method, which nobody needs here
    error: InputError


def up_to_damage(
    outputs: Iterable[tuple[int, FrameOutput]], start: int, unread: list[Unread]
) -> Iterator[tuple[int, FrameOutput]]:
    """The outputs of `run_backward` up to a frame that cannot be read, which `unread` then holds.

        for index, output in up_to_damage(run_backward(...), start, unread):
            outputs.write(index, output)

    Args:
      outputs: of a pass.
      start: index of its first frame.
      unread: is empty, and stays so where the pass reaches frame 0.
    """
    index = start + 1
    try:
        for index, output in outputs:
            yield index, output
    except InputError as error:
        unread.append(Unread(index - 1, error))


class Merger:
    """Adds what the backward pass said to what the forward pass says, frame after frame.

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
        """Merges what `outputs` holds.

        Args:
          outputs: of the backward pass.
          masks: that were given.
          start: index of the frame with which that pass began.
          unread: where it ended; the frames before that one have the forward pass alone.
        """
        self._outputs, self._start, self._given = outputs, start, given_frames(masks)
        self._unread = unread
        self._before: FrameOutput | None = None

    def __call__(self, index: int, frame: Frame, forward: FrameOutput) -> FrameOutput:
        """The frame's output of both passes; after `start` that of the forward pass.

        A frame that the recording lost gets the output of the one before it.

        Raises:
          InputError: the frame that the backward pass could not read.
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
