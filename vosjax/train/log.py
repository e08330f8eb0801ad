"""The log of a training run: lines on stdout, metrics.csv, TensorBoard scalars and pictures."""

import csv
import os
import pathlib
import time

import numpy as np
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from vosjax.io.files import write_bytes
from vosjax.io.palette import DAVIS
from vosjax.io.refusals import writing
from vosjax.runs.profile import BOARD
from vosjax.train import pace
from vosjax.train.disk import METRICS
from vosjax.train.progress import Progress

COLUMNS = (
    "step",
    "loss",
    "cross_entropy",
    "jaccard",
    "aux",
    "j",
    "gradient",
    "rate",
    "clips_per_second",
    "validation_j",
    "validation_f",
    "distance",
    *pace.COLUMNS,
)
TOP = ("validation_j", "validation_f")  # the figures that TensorBoard shows apart


class Log:
    """The log of a run: metrics.csv and TensorBoard events in a folder, and lines on stdout.

        figures = Log("runs/first", start=0)
        figures.scalars(100, {"loss": 0.7})
        figures.close()

    Every row is flushed, so that a killed run keeps its log. Steps after the last checkpoint are
    repeated when a run is resumed, so rows and events after step `start` are dropped.

    The table has the given columns; figures of other names go to TensorBoard and stdout alone. A
    table with other columns, such as one of an earlier version, gets these.

    All methods raise an InputError if the log cannot be written, or DiskFull if the disk is full.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        start: int,
        columns: tuple[str, ...] = COLUMNS,
        steps: int | None = None,
    ) -> None:
        """Opens the files.

        Args:
            folder: the run's folder.
            start: number of steps done before.
            columns: the columns of metrics.csv.
            steps: number of steps of the training, by which the time left is told; None: unknown.
        """
        self._path = pathlib.Path(folder) / METRICS
        with writing(self._path):
            _keep_rows(self._path, start, columns)
            self._file = open(self._path, "a", newline="")
        self._rows = csv.DictWriter(
            self._file, columns, restval="", extrasaction="ignore", lineterminator="\n"
        )
        self._board = _Board(self._path.with_name(BOARD), start)
        self._progress = Progress(start=start, last=steps)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes the figures of a step, {name: value}, as a row, as scalars and as a line."""
        with writing(self._path):
            self._rows.writerow({"step": step, **{k: f"{v:.6g}" for k, v in values.items()}})
            self._file.flush()
        self._board.add(
            step,
            [
                summary.scalar(name if name in TOP else f"train/{name}", value)
                for name, value in values.items()
            ],
        )
        self._progress.show(step, values)

    def pictures(
        self, step: int, frames: np.ndarray, labels: np.ndarray, prediction: np.ndarray
    ) -> None:
        """Writes a picture of a clip: a row of its frames, one of the truth, one of the prediction.

        Args:
            step: number of the step.
            frames: uint8 [T, H, W, 3] RGB.
            labels: uint8 [T, H, W], the true slots.
            prediction: uint8 [T, H, W], the predicted slots.
        """
        rows = [np.concatenate(list(frames), axis=1)]
        for maps in (labels, prediction):
            over = _overlay(frames, maps)
            rows.append(np.concatenate(list(over), axis=1))
        self._board.add(step, [summary.image("clip", np.concatenate(rows), dataformats="HWC")])

    def close(self) -> None:
        """Closes the files, and ends the line on stdout."""
        self._progress.close()
        try:
            with writing(self._path):
                self._file.close()
        finally:
            self._board.close()


class _Board:
    """Writes TensorBoard events synchronously, as a writer thread would lose errors of the disk."""

    def __init__(self, folder: pathlib.Path, start: int) -> None:
        self._folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # The time in the file's name has a resolution of a second, hence the suffix.
            self._events = EventsWriter(str(folder / "events"), f".{start}")
            for fields in (
                {"file_version": "brain.Event:2"},
                {"session_log": SessionLog(status=SessionLog.START)},  # hides later steps' events
            ):
                self._events.write_event(Event(step=start + 1, wall_time=time.time(), **fields))
            self._events.flush()

    def add(self, step: int, summaries: list) -> None:
        with writing(self._folder):
            for values in summaries:
                self._events.write_event(Event(step=step, wall_time=time.time(), summary=values))
            self._events.flush()

    def close(self) -> None:
        with writing(self._folder):
            self._events.close()


def _keep_rows(path: pathlib.Path, last: int, columns: tuple[str, ...]) -> None:
    """Reduces a table to these columns and the rows up to step `last`."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    numbered = [(line.partition(",")[0], line) for line in lines[1:]]
    rows = [line for step, line in numbered if step.isdecimal() and int(step[:18]) <= last]
    before = lines[0].split(",") if lines else []
    if before[:1] == ["step"] and before != list(columns):
        named = [dict(zip(before, row.split(","))) for row in rows]
        rows = [",".join(row.get(name, "") for name in columns) for row in named]
    write_bytes(path, ("\n".join([",".join(columns), *rows]) + "\n").encode())


def _overlay(frames: np.ndarray, labels: np.ndarray) -> np.ndarray:
    colours = DAVIS[labels]
    mixed = (frames.astype(np.uint16) + colours) // 2
    return np.where(labels[..., None] > 0, mixed, frames).astype(np.uint8)
