"""Writes the overlay video of a segmentation, which plays however the run ends."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.io.encode import H264Encoder, Mpeg4Encoder, Refused
from vosjax.io.files import atomic
from vosjax.io.refusals import check_space, disk_full

ROOM = 4 << 20  # bytes; encoders hold back less than this between two checks of the disk


class OverlayWriter:
    """Writes RGB frames to an mp4, under a temporary name until it is closed.

        with OverlayWriter("overlay.mp4", fps=25, size=(480, 854)) as film:
            film.write(image)

    The video is H.264, which browsers play, with each frame's own time. If there is no H.264
    encoder, it is MPEG-4 part 2 at an even rate. A context manager keeps what was written even if
    the block ends by an error or Ctrl-C, and the file always plays; `discard` removes it instead.
    Frames of odd height or width get their last row or column twice, since the codecs need even
    sizes.

    Args:
        path: the file.
        fps: rate in frames per second, above 0.
        size: (H, W) of the frames.

    Raises:
        InputError: no encoder accepts such a video (the reason of each is given), or the file
            cannot be written.
        DiskFull: the disk is full.
    """

    def __init__(self, path: str | os.PathLike[str], *, fps: float, size: tuple[int, int]) -> None:
        """Opens the video, see the class."""
        self.path = pathlib.Path(path)
        self.size = tuple(size)
        self.frames = 0
        self._fps = fps
        self._odd = (size[0] % 2, size[1] % 2)
        temporary = atomic(self.path)
        self._atomic: contextlib.AbstractContextManager[pathlib.Path] | None = temporary
        self._temp = temporary.__enter__()
        try:
            with self._words():
                open(self._temp, "wb").close()  # so that a refusal is not blamed on a codec
                self._video = self._opened((size[0] + self._odd[0], size[1] + self._odd[1]))
        except BaseException:
            self._atomic = None
            self._temp.unlink(missing_ok=True)
            raise

    def _opened(self, size: tuple[int, int]) -> Any:
        reasons = []
        for encoder in (H264Encoder, Mpeg4Encoder):
            try:
                return encoder(self._temp, fps=self._fps, size=size)
            except Refused as error:
                reasons.append(str(error))
        raise InputError(
            f"overlay {self.path} cannot be written ({'; '.join(reasons)}): do without the "
            "overlay, or install another PyAV"
        )

    @contextlib.contextmanager
    def _words(self) -> Iterator[None]:
        """Turns errors of writing the file into clear lines."""
        try:
            with disk_full(self.path):
                yield
        except InputError:
            raise
        except OSError as error:
            raise InputError(
                f"overlay {self.path} cannot be written ({error.strerror or error}): name a folder "
                "that can, or do without the overlay"
            ) from error

    def write(self, frame: np.ndarray, time: float | None = None) -> None:
        """Appends a frame.

        Args:
            frame: uint8 [H, W, 3] RGB.
            time: from when it is shown, in seconds since the first frame; None follows the video's
                rate.

        Raises:
            ValueError: the frame has another type or size.
        """
        frame = np.asarray(frame)
        if frame.shape != (*self.size, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f"overlay: a frame must be uint8 {[*self.size, 3]}, got {frame.dtype} "
                f"{list(frame.shape)}"
            )
        if any(self._odd):
            frame = np.pad(frame, ((0, self._odd[0]), (0, self._odd[1]), (0, 0)), mode="edge")
        with self._words():
            check_space(self._temp, ROOM)
            self._video.write(frame, self.frames / self._fps if time is None else time)
        self.frames += 1

    def close(self) -> None:
        """Finishes the file and gives it its name; closing it again does nothing."""
        if self._atomic is None:
            return
        manager, self._atomic = self._atomic, None
        try:
            with self._words():
                self._video.close()
                manager.__exit__(None, None, None)
        finally:
            self._temp.unlink(missing_ok=True)

    def discard(self) -> None:
        """Removes what was written; an older file of the same name stays."""
        if self._atomic is not None:
            self._video.abandon()
            self._atomic = None
            self._temp.unlink(missing_ok=True)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()
