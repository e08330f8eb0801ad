"""The output folder of a training: the names of its files, and whether it may be written to."""

import json
import pathlib
from collections.abc import Iterable

from vosjax.checkpoints.weights import CARD
from vosjax.errors import InputError
from vosjax.runs.profile import BOARD

CONFIG, METRICS, CHECKPOINTS, WEIGHTS = "config.json", "metrics.csv", "checkpoints", "weights"
FIELDS = ("family", "train")  # fields of every config.json of a training
HEADER = "step,loss,"  # beginning of every metrics.csv of a training


def check_ours(output: pathlib.Path, stages: Iterable[str]) -> None:
    """Checks, before anything is written, that a training may write to a folder.

        check_ours(pathlib.Path("runs/stcn"), [""])

    The files that a training would write must either be absent or come from a training. Other files
    are left alone.

    Args:
        output: the run's folder, which need not exist.
        stages: names of the folders of its stages, '' for the run's own folder.

    Raises:
        InputError: the folder would be below a file, or holds such files that no training wrote;
            the message names one.
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
    """Whether a stage was begun in a folder; raises InputError for files that no training wrote."""
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
        if not content:  # left empty by a power failure
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
