"""What a run tells: a line, a row of metrics.csv, TensorBoard scalars and pictures."""

import csv
import math
import os
import pathlib

import numpy as np
import tensorboardX

from vosjax.errors import NotFinite
from vosjax.io.files import write_bytes
from vosjax.io.palette import DAVIS
from vosjax.io.terminal import say

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
)


class Log:
    """The log of a run: metrics.csv and TensorBoard events in a folder, and lines on stdout.

        figures = Log("runs/first", start=0)
        figures.scalars(100, {"loss": 0.7})
        figures.close()

    Every row is flushed, so that a killed run keeps what it told. A run that went further than its
    last checkpoint told of steps that are taken again when it resumes: its rows and events behind
    step `start` are dropped.
    """

    def __init__(self, folder: str | os.PathLike[str], *, start: int) -> None:
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "metrics.csv"
        _keep_rows(path, start)
        self._file = open(path, "a", newline="")
        self._rows = csv.DictWriter(
            self._file, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n"
        )
        self._board = tensorboardX.SummaryWriter(  # its file names hold no more than a second
            str(folder / "tensorboard"), purge_step=start + 1, filename_suffix=f".{start}"
        )

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes the figures of a step, {name: value}: a row of `COLUMNS`, scalars and a line."""
        self._rows.writerow({"step": step, **{k: f"{v:.6g}" for k, v in values.items()}})
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(f"train/{name}" if name != "validation_j" else name, value, step)
        say(f"step {step:6d}  " + "  ".join(f"{k} {v:.4g}" for k, v in values.items()))

    def pictures(
        self, step: int, frames: np.ndarray, labels: np.ndarray, prediction: np.ndarray
    ) -> None:
        """Writes one picture of a clip: its frames above the truth above the prediction.

        Args:
          step: number of the step.
          frames: uint8 [T, H, W, 3] RGB.
          labels: uint8 [T, H, W], the truth.
          prediction: uint8 [T, H, W].
        """
        rows = [np.concatenate(list(frames), axis=1)]
        for maps in (labels, prediction):
            over = _overlay(frames, maps)
            rows.append(np.concatenate(list(over), axis=1))
        self._board.add_image("clip", np.concatenate(rows), step, dataformats="HWC")
        self._board.flush()

    def close(self) -> None:
        """Closes the files."""
        self._file.close()
        self._board.close()


def _keep_rows(path: pathlib.Path, last: int) -> None:
    """Leaves a table with its header and the rows up to step `last`."""
    lines = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in lines[1:] if int(line.split(",")[0]) <= last]
    write_bytes(path, ("\n".join([",".join(COLUMNS), *kept]) + "\n").encode())


def _overlay(frames: np.ndarray, labels: np.ndarray) -> np.ndarray:
    colours = DAVIS[labels]
    mixed = (frames.astype(np.uint16) + colours) // 2
    return np.where(labels[..., None] > 0, mixed, frames).astype(np.uint8)


def check_finite(first: int, losses: list[float], gradients: list[float]) -> None:
    """Raises NotFinite, which names the steps, unless all figures of some steps are finite.

    check_finite(100, [0.7, 0.6], [1.2, 1.1])      # of steps 100 and 101
    """
    bad = [
        i
        for i, (a, b) in enumerate(zip(losses, gradients))
        if not (math.isfinite(a) and math.isfinite(b))
    ]
    if bad:
        raise NotFinite(
            f"the loss or its gradient was not finite in steps {first + bad[0]} to "
            f"{first + bad[-1]}: lower train.lr or lengthen train.warmup; the last "
            "checkpoint is from before these steps"
        )
