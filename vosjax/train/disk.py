"""What a training writes to: a folder of its own."""

import json
import pathlib
from collections.abc import Iterable

from vosjax.checkpoints.weights import CARD
from vosjax.errors import InputError

CONFIG, METRICS, CHECKPOINTS, BOARD, WEIGHTS = (
    "config.json",
    "metrics.csv",
    "checkpoints",
    "tensorboard",
    "weights",
)
FIELDS = ("family", "train")  # of every config.json that a training wrote
HEADER = "step,loss,"  # how every metrics.csv of a training begins


def check_ours(output: pathlib.Path, stages: Iterable[str]) -> None:
    """Makes sure, before anything is written, that a training may write to a folder.

        check_ours(pathlib.Path("runs/stcn"), [""])

    A folder is ours where the files that a training would write are absent or a training's own;
    whatever else lies there is left alone.

    Args:
      output: the run's folder, which need not exist.
      stages: the names of its stages' folders, '' for the run's own.

    Raises:
      InputError: it lies below a file, or holds such files of someone else; one is named.
    """
    above = next(path for path in (output, *output.parents) if path.exists() or path == path.parent)
    if not above.is_dir():
        raise InputError(f"--output {output} cannot be made: {above} is a file; name a folder")
    begun = [_is_begun(output / name) for name in stages]
    weights = output / WEIGHTS
    if weights.exists() and not (any(begun) and (weights / CARD).is_file()):
        if not weights.is_dir() or any(weights.iterdir()):
            raise _strange(output, WEIGHTS)


def _is_begun(folder: pathlib.Path) -> bool:
    """Whether a stage of ours was begun in a folder; InputError where someone else's files are."""
    config, metrics = folder / CONFIG, folder / METRICS
    if config.exists() and not _is_config(config):
        raise _strange(folder, CONFIG)
    if metrics.exists() and not _is_metrics(metrics):
        raise _strange(folder, METRICS)
    begun = config.exists() or metrics.exists()
    for name in (CHECKPOINTS, BOARD):
        path = folder / name
        if path.exists() and not begun and (not path.is_dir() or any(path.iterdir())):
            raise _strange(folder, name)
    return begun


def _is_config(path: pathlib.Path) -> bool:
    try:
        content = path.read_bytes()
        if not content:  # a power cut
            return True
        values = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and all(name in values for name in FIELDS)


def _is_metrics(path: pathlib.Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(HEADER)) in (HEADER.encode(), b"")
    except OSError:
        return False


def _strange(folder: pathlib.Path, name: str) -> InputError:
    return InputError(
        f"{folder} holds {name}, which no training of this project wrote: name another folder as "
        "--output"
    )
