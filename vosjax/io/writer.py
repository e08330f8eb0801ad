"""What a segmentation leaves besides its masks: the overlay video and the table of scores."""

import csv
import io
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from vosjax.errors import InputError
from vosjax.io.files import atomic, check_space, disk_full

COLUMNS = ("frame", "name", "object", "mean_probability", "margin", "area", "absent")
_ROOM = 4 << 20  # bytes; the encoder buffers less than that between two looks at the disk


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
    """Writes RGB frames to an mp4 (MPEG-4 part 2), under a temporary name until it is closed.

    As a context manager it keeps what was written, also when the block ends by an error or Ctrl-C:
    the file always plays. `discard` throws it away instead. A frame of odd size gets its last
    column or row twice, as the codec wants even ones.

    Raises:
        InputError: this OpenCV has no encoder for mp4, or the folder cannot be written.
        DiskFull: the disk is full (OpenCV itself would lose frames without a word).
    """

    def __init__(self, path, *, fps: float, size: tuple[int, int]):
        """`size` (H, W) of the frames; `fps` in frames per second."""
        self.path = pathlib.Path(path)
        self.size = tuple(size)
        self._odd = (size[0] % 2, size[1] % 2)
        self._atomic = atomic(self.path)
        self._temp = self._atomic.__enter__()
        even = (size[1] + self._odd[1], size[0] + self._odd[0])
        self._video = cv2.VideoWriter(str(self._temp), cv2.VideoWriter_fourcc(*"mp4v"), fps, even)
        if not self._video.isOpened():
            self.discard()
            raise InputError(
                f"overlay {path} cannot be written: OpenCV {cv2.__version__} has no "
                "mp4v encoder here; install opencv-python-headless, or do without "
                "the overlay"
            )

    def write(self, frame):
        """Appends uint8 [H, W, 3] RGB."""
        frame = np.asarray(frame)
        if frame.shape != (*self.size, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f"overlay: a frame must be uint8 {[*self.size, 3]}, got {frame.dtype} "
                f"{list(frame.shape)}"
            )
        if any(self._odd):
            frame = np.pad(frame, ((0, self._odd[0]), (0, self._odd[1]), (0, 0)), mode="edge")
        with disk_full(self.path):
            check_space(self._temp, _ROOM)
        self._video.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def close(self):
        """Finishes the file and gives it its name. Closing again does nothing."""
        if self._atomic is not None:
            self._video.release()
            manager, self._atomic = self._atomic, None
            manager.__exit__(None, None, None)

    def discard(self):
        """Removes what was written; an older file of the same name stays."""
        if self._atomic is not None:
            self._video.release()
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
