"""The scores of every object in every frame, and their table, scores.csv.

Nothing here imports JAX, so tables can be read without waiting for it.
"""

import contextlib
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
    """The scores of one object in one frame.

    object            its id
    mean_probability  of the object, over the pixels of its mask, 0..1
    margin            mean distance to the probability of the second-best object there, 0..1
    area              number of pixels of its mask
    absent            whether it has no pixel
    """

    object: int
    mean_probability: float
    margin: float
    area: int
    absent: bool


class ScoreWriter:
    """Writes scores.csv, one row for each object, and flushes the rows of a frame at once.

        with ScoreWriter("scores.csv") as table:
            table.write(0, "00000", scores.values())

    Write a frame's scores before its mask file, so that every frame with a mask also has its rows.
    In names that are not UTF-8, bytes are written as escapes (`caf\\udce9`).

    Args:
        path: the file.
        resume: 0 for a new table; n > 0 keeps the rows of frames below n of the old table.

    Raises:
        InputError: the old file is not a table of scores, or the folder cannot be written.
        DiskFull: the disk is full.
    """

    def __init__(self, path: str | os.PathLike[str], *, resume: int = 0) -> None:
        """Opens the table, see the class."""
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
        """Appends the rows of one frame in one piece.

        Args:
            frame: 0-based index of the frame.
            name: its name.
            scores: the scores of its objects.

        Returns:
            The rows as they stand in the file, in UTF-8.

        Raises:
            DiskFull: the disk is full; the message names the last complete frame, and a partly
                written row is removed.
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
    """Reads a table as {frame: its rows}, each as `ScoreWriter.write` returned them.

        rows_by_frame("out/scores.csv")[0]  # b'0,00000,1,0.9876,0.9753,2310,0\\n'

    A last row without its line end is left out.

    Raises:
        InputError: the file cannot be read, or is not a table of scores.
    """
    rows: dict[int, bytes] = {}
    for frame, text in _rows(pathlib.Path(path)):
        rows[frame] = rows.get(frame, b"") + text.encode()
    return rows


def mean_scores(path: str | os.PathLike[str]) -> dict[int, float]:
    """Reads {object: its mean probability over the frames in which it is seen} of a table.

        mean_scores("out/scores.csv")   # {1: 0.97}

    Raises:
        InputError: the file cannot be read, or is not a table of scores.
    """
    sums: dict[int, list[float]] = {}
    for _, text in _rows(pathlib.Path(path)):
        *_, object_, mean, _, _, absent = next(csv.reader([text]))
        with contextlib.suppress(ValueError):
            if absent == "0":
                sums.setdefault(int(object_), []).append(float(mean))
    return {object_: sum(means) / len(means) for object_, means in sums.items()}


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
    """Yields (frame, text) of a table's rows, without a last row that lacks its line end."""
    with reading(path):
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    except csv.Error:  # not even a text
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
