"""What is said of every object in every frame, and the table of it: scores.csv.

Nothing here imports JAX, so that tables are read without waiting for it.
"""

import csv
import io
import os
import pathlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from vosjax.errors import InputError
from vosjax.io.files import atomic, disk_full

COLUMNS = ("frame", "name", "object", "mean_probability", "margin", "area", "absent")


class ObjectScore(NamedTuple):
    """One object in one frame.

    object            its id
    mean_probability  of the object, over the pixels of its mask, 0..1
    margin            mean distance to the probability of the second-best object there, 0..1
    area              pixels of its mask
    absent            whether no pixel shows it
    """

    object: int
    mean_probability: float
    margin: float
    area: int
    absent: bool


class ScoreWriter:
    """Writes scores.csv, a frame at a time: one row for each object, flushed when `write` returns.

        with ScoreWriter("scores.csv") as table:
            table.write(0, "00000", scores.values())

    Write a frame's scores before its mask file: then every frame that has a mask has its rows, and
    `palette.masks_done` is where a run resumes.
    """

    def __init__(self, path: str | os.PathLike[str], *, resume: int = 0) -> None:
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

    def write(self, frame: int, name: str, scores: Iterable[ObjectScore]) -> None:
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

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


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
