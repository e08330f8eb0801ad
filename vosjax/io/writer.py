"""What a segmentation leaves besides its masks: the overlay video and the table of scores."""

import contextlib
import csv
import io
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.encode import H264Encoder, Mpeg4Encoder, Refused
from vosjax.io.files import atomic, check_space, disk_full

COLUMNS = ("frame", "name", "object", "mean_probability", "margin", "area", "absent")
ROOM = 4 << 20  # bytes; encoders hold back less than that between two looks at the disk


class ObjectScore(NamedTuple):
    """One object in one frame.

    object            its id
    mean_probability  over the pixels of its mask, 0..1
    margin            mean distance to the second-best object there, 0..1
    area              pixels of its mask
    absent            whether it is not to be seen
    """

    object: int
    mean_probability: float
    margin: float
    area: int
    absent: bool


class OverlayWriter:
    """Writes RGB frames to an mp4, under a temporary name until it is closed.

        with OverlayWriter("overlay.mp4", fps=25, size=(480, 854)) as film:
            film.write(image)

    H.264, which browsers play, with each frame's own time; where that is not to be had, MPEG-4
    part 2 at an even rate. As a context manager it keeps what was written, also when the block ends
    by an error or Ctrl-C: the file always plays. `discard` throws it away instead. A frame of odd
    size gets its last column or row twice, as the codecs want even ones.

    Raises:
        InputError: no encoder takes such a video (each one's reason is told), or the file cannot
            be written.
        DiskFull: the disk is full.
    """

    def __init__(self, path, *, fps: float, size: tuple[int, int]):
        """`size` (H, W) of the frames; `fps` in frames per second, above 0."""
        self.path = pathlib.Path(path)
        self.size = tuple(size)
        self.frames = 0
        self._fps = fps
        self._odd = (size[0] % 2, size[1] % 2)
        self._atomic = atomic(self.path)
        self._temp = self._atomic.__enter__()
        try:
            with self._words():
                open(self._temp, "wb").close()  # so that what hinders this is not laid to a codec
                self._video = self._opened((size[0] + self._odd[0], size[1] + self._odd[1]))
        except BaseException:
            self._atomic = None
            self._temp.unlink(missing_ok=True)
            raise

    def _opened(self, size: tuple[int, int]):
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
    def _words(self):
        """Puts what goes wrong with the file into words."""
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

    def write(self, frame, time: float | None = None):
        """Appends uint8 [H, W, 3] RGB, shown from `time` on (seconds since the first frame).

        Without a time it follows at the rate of the video.
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

    def close(self):
        """Finishes the file and gives it its name. Closing again does nothing."""
        if self._atomic is None:
            return
        manager, self._atomic = self._atomic, None
        try:
            with self._words():
                self._video.close()
                manager.__exit__(None, None, None)
        finally:
            self._temp.unlink(missing_ok=True)

    def discard(self):
        """Removes what was written; an older file of the same name stays."""
        if self._atomic is not None:
            self._video.abandon()
            self._atomic = None
            self._temp.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class ScoreWriter:
    """Writes scores.csv, a frame at a time: one row for each object, flushed when `write` returns.

    Write a frame's scores before its mask file: then every frame that has a mask has its rows, and
    `masks_done` is where a run resumes.
    """

    def __init__(self, path, *, resume: int = 0):
        """Starts a new table, or with `resume` = n > 0 keeps the old one's rows of frames below n.

        Raises:
            InputError: the old file is not a table of scores, or the folder cannot be written.
            DiskFull: the disk is full.
        """
        self.path = pathlib.Path(path)
        kept = _rows_before(self.path, resume) if resume and self.path.exists() else ""
        with atomic(self.path) as temp:
            temp.write_text(",".join(COLUMNS) + "\n" + kept, encoding="utf-8")
        self._file = open(self.path, "ab", buffering=0)
        self._frame = resume - 1

    def write(self, frame: int, name: str, scores: Iterable[ObjectScore]):
        """Appends the rows of one frame (0-based index, its name), in one piece.

        Raises:
            DiskFull: names the last frame that is complete; the partly written row is taken back.
        """
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        for score in scores:
            rows.writerow(
                (
                    frame,
                    name,
                    score.object,
                    f"{score.mean_probability:.4f}",
                    f"{score.margin:.4f}",
                    score.area,
                    int(score.absent),
                )
            )
        data, end = text.getvalue().encode(), self._file.tell()
        with disk_full(self.path, frame=self._frame):
            try:
                while data:
                    data = data[self._file.write(data) :]
            except OSError:
                os.ftruncate(self._file.fileno(), end)
                raise
        self._frame = frame

    def close(self):
        """Closes the file."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def masks_done(folder) -> int:
    """The frames 0..n-1 that have a mask file `%05d.png` in `folder`: returns n."""
    folder, n = pathlib.Path(folder), 0
    while (folder / f"{n:05d}.png").exists():
        n += 1
    return n


def _rows_before(path: pathlib.Path, frame: int) -> str:
    """The whole rows of frames below `frame`; a last row without its end is left out."""
    text = path.read_text(encoding="utf-8", errors="replace")
    rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    if rows and tuple(rows[0]) != COLUMNS:
        raise InputError(
            f"{path} is no table of scores (its first line should be "
            f"{','.join(COLUMNS)}): choose another output folder or remove it"
        )
    kept = io.StringIO()
    csv.writer(kept, lineterminator="\n").writerows(
        row
        for row in rows[1:]
        if len(row) == len(COLUMNS) and row[0].isdecimal() and int(row[0]) < frame
    )
    return kept.getvalue()
