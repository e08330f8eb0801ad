"""What is said of every object in every frame, and the table of it: scores.csv.

Nothing here imports JAX, so that tables are read without waiting for it.
"""

import csv
import io
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from vosjax.errors import InputError
from vosjax.io.files import atomic
from vosjax.io.refusals import disk_full, reading, writing

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

    Write a frame's scores before its mask file: then every frame that has a mask has its rows.
    Names that are no UTF-8 are written with their bytes escaped (`caf\\udce9`).
    """

    def __init__(self, path: str | os.PathLike[str], *, resume: int = 0) -> None:
        """Starts a new table, or with `resume` = n > 0 keeps the old one's rows of frames below n.

        Raises:
            InputError: the old file is not a table of scores, or the folder cannot be written.
            DiskFull: the disk is full.
        """
        self.path = pathlib.Path(path)
        kept = ""
        if resume and self.path.exists():
            kept = "".join(text for frame, text in _rows(self.path) if frame < resume)
        with atomic(self.path, durable=False) as temp:
            temp.write_text(",".join(COLUMNS) + "\n" + kept, encoding="utf-8")
        with writing(self.path):
            self._file = open(self.path, "ab", buffering=0)
        self._frame = resume - 1

    def write(self, frame: int, name: str, scores: Iterable[ObjectScore]) -> bytes:
        """Appends the rows of one frame (0-based index, its name), in one piece.

        Returns:
            The rows as they stand in the file.

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
        rows_text = data = text.getvalue().encode("utf-8", "backslashreplace")
        end = self._file.tell()
        with disk_full(self.path, frame=self._frame), writing(self.path):
            try:
                while data:
                    data = data[self._file.write(data) :]
            except OSError:
                os.ftruncate(self._file.fileno(), end)
                raise
        self._frame = frame
        return rows_text

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def rows_by_frame(path: str | os.PathLike[str]) -> dict[int, bytes]:
    """{frame: its rows} of a table, each as `ScoreWriter.write` gave them back.

        rows_by_frame("out/scores.csv")[0]  # b'0,00000,1,0.9876,0.9753,2310,0\\n'

    A last row without its end is left out.

    Raises:
        InputError: the file may not be read, or is not a table of scores.
    """
    rows: dict[int, bytes] = {}
    for frame, text in _rows(pathlib.Path(path)):
        rows[frame] = rows.get(frame, b"") + text.encode()
    return rows


def with_areas(rows: bytes, labels: Any) -> bytes:
    """The rows of a frame with the areas of other masks, as after a refinement.

        with_areas(b"0,00000,1,0.9876,0.9753,2310,0\\n", labels)

    Args:
        rows: of one frame, see `rows_by_frame`.
        labels: uint8 [H, W] of ids.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    for row in csv.reader(io.StringIO(rows.decode("utf-8"))):
        area = int((labels == int(row[2])).sum())
        table.writerow([*row[:5], area, int(area == 0)])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _rows(path: pathlib.Path) -> Iterator[tuple[int, str]]:
    """(frame, text) of the whole rows of a table; a last row without its end is left out."""
    with reading(path):
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    except csv.Error:  # not even text
        rows = [[]]
    if rows and tuple(rows[0]) != COLUMNS:
        raise InputError(
            f"{path} is no table of scores (its first line should be "
            f"{','.join(COLUMNS)}): choose another output folder or remove it"
        )
    for row in rows[1:]:
        if len(row) == len(COLUMNS) and row[0].isdecimal():
            line = io.StringIO()
            csv.writer(line, lineterminator="\n").writerow(row)
            yield int(row[0]), line.getvalue()
