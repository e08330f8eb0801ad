"""Scores folders of predicted label maps against the ground truth, in one or several processes.

Predictions are `FOLDER/SEQUENCE/FRAME.png` (8-bit palette or grey PNG whose values are object ids),
as DAVIS and YouTube-VOS store them. Which frames and objects count is decided by `protocols`.
"""

import concurrent.futures
import csv
import functools
import io
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from vosjax.datasets import decode
from vosjax.errors import InputError
from vosjax.eval.protocols import FrameCurves, Protocol, Scores
from vosjax.io.files import write_bytes
from vosjax.io.palette import read_label_png
from vosjax.io.processes import pool
from vosjax.io.refusals import reading

Truth = str | os.PathLike[str] | Callable[[], decode.Labels]  # a label PNG, or what reads one


class _Job(NamedTuple):
    """One sequence: its name, its (frame, truth) pairs in order, and its folder of predictions."""

    name: str
    truth: tuple[tuple[str, Truth], ...]
    prediction: pathlib.Path


def score(
    truth: str | os.PathLike[str] | Mapping[str, Mapping[str, Truth]],
    prediction: str | os.PathLike[str],
    *,
    protocol: Protocol,
    sequences: Iterable[str] | None = None,
    processes: int = 1,
    progress: Callable[[str], Any] | None = None,
) -> Scores:
    """Scores all sequences and summarizes them in a global table.

        result = score("DAVIS/Annotations/480p", "runs/davis/masks", protocol=protocols.davis())
        result["global"]["J&F-Mean"]  # 0..1

    Args:
        truth: a folder with one folder of label PNGs for each sequence, or {sequence: {frame name:
            file, or a function without arguments that returns the label map}}. With several
            processes the functions must be picklable.
        prediction: a folder of the same layout; frames without ground truth are not read.
        protocol: `protocols.davis()`, `youtube_vos(meta)` or `vos_benchmark()`.
        sequences: names of the sequences to score, in the order of the result; None: all.
        processes: number of processes that score side by side; 1 scores in this process.
        progress: called with the name of each finished sequence, in any order.

    Returns:
        A dict ready for JSON: "protocol", "settings", "global" (the protocol's table), "sequences"
        ({name: result} with the curves of every object, see `protocols`) and "extra_sequences",
        the folders of `prediction` that were not scored.

    Raises:
        InputError: a sequence or frame is missing, a file cannot be read, the sizes of label maps
            differ, or a sequence is not such as the protocol expects.
        ValueError: `processes` is below 1.
    """
    if processes < 1:
        raise ValueError(f"processes is {processes}; expected at least 1")
    jobs = _jobs(truth, pathlib.Path(prediction), sequences)
    results = {}
    for name, result in _run(jobs, protocol, min(processes, len(jobs))):
        results[name] = result
        if progress is not None:
            progress(name)
    results = {job.name: results[job.name] for job in jobs}
    return {
        "protocol": protocol.name,
        "settings": protocol.settings,
        "global": protocol.total(results),
        "sequences": results,
        "extra_sequences": sorted(_folders(pathlib.Path(prediction)) - set(results)),
    }


def _folders(root: pathlib.Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.is_dir() and path.name[0] != "."}


def _jobs(
    truth: str | os.PathLike[str] | Mapping[str, Mapping[str, Truth]],
    prediction: pathlib.Path,
    sequences: Iterable[str] | None,
) -> list[_Job]:
    if not prediction.is_dir():
        raise _no_folder(prediction)
    if not isinstance(truth, Mapping):
        root = pathlib.Path(truth)
        if not root.is_dir():
            raise _no_folder(root)
        truth = {
            name: {file.stem: file for file in root.joinpath(name).glob("*.png")}
            for name in (sorted(_folders(root)) if sequences is None else sequences)
        }
    names = list(truth if sequences is None else sequences)
    empty = [name for name in names if not truth.get(name)]
    if empty or not names:
        raise InputError(
            f"no truth for {_some(empty) if empty else 'any sequence'}: expected "
            "label maps SEQUENCE/FRAME.png"
        )
    absent = sorted(set(names) - _folders(prediction))
    if absent:
        raise InputError(
            f"{prediction} has no folder for {len(absent)} of {len(names)} sequences "
            f"({_some(absent)}): run these, or name the sequences to score"
        )
    return [_Job(name, tuple(sorted(truth[name].items())), prediction / name) for name in names]


def _no_folder(root: pathlib.Path) -> InputError:
    return InputError(
        f"there is no folder {root}: name one that holds a folder of label PNGs for each sequence"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _run(jobs: Sequence[_Job], protocol: Protocol, processes: int) -> Iterator[tuple[str, Scores]]:
    if processes == 1:
        yield from ((job.name, _score_sequence(protocol, job)) for job in jobs)
        return
    # The longest sequences come first, so that none of them keeps a single process busy at the end.
    jobs = sorted(jobs, key=lambda job: len(job.truth), reverse=True)
    setting = "config.eval.processes"
    with pool(processes, setting=setting, initializer=_keep, initargs=(protocol,)) as workers:
        running = {workers.submit(_score_kept, job): job.name for job in jobs}
        for done in concurrent.futures.as_completed(running):
            yield running[done], done.result()


_kept: list[Protocol] = []  # of a worker: sent once to each process, not with every sequence


def _keep(protocol: Protocol) -> None:
    _kept[:] = [protocol]


def _score_kept(job: _Job) -> Scores:
    return _score_sequence(_kept[0], job)


def _score_sequence(protocol: Protocol, job: _Job) -> Scores:
    frames = [
        FrameCurves(
            name,
            truth if callable(truth) else functools.partial(_read_truth, pathlib.Path(truth)),
            functools.partial(_read_prediction, job, name),
        )
        for name, truth in job.truth
    ]
    return protocol.sequence(job.name, frames)


def _read_truth(file: pathlib.Path) -> decode.Labels:
    try:
        with reading(f"the truth {file}"):
            data = file.read_bytes()
    except OSError as error:
        raise InputError(f"the truth {file} cannot be read ({error.strerror})") from error
    return decode.labels(data, name=str(file))


def _read_prediction(job: _Job, frame: str) -> decode.Labels:
    file = job.prediction / f"{frame}.png"
    if not file.exists():
        raise InputError(
            f"sequence {job.name} has no prediction for frame {frame} ({file}): every "
            "scored frame needs one, run the sequence again"
        )
    return read_label_png(file)


def write_csv(
    result: Scores, folder: str | os.PathLike[str], *, subset: str
) -> tuple[pathlib.Path, pathlib.Path]:
    """Writes the two tables of the official DAVIS tool, atomically, and returns their paths.

        write_csv(result, "runs/davis", subset="val")

    `global_results-SUBSET.csv` holds one row with the columns of the protocol's global table,
    `per-sequence_results-SUBSET.csv` a row SEQUENCE_OBJECT with J-Mean and F-Mean for every object.
    Values have three digits; undefined values are empty. Names with commas, quotes or line breaks
    are quoted, and bytes that are not UTF-8 are escaped.

    Args:
        result: what `score` returned.
        folder: the folder to write to.
        subset: name of the set of videos.
    """
    folder = pathlib.Path(folder)
    table = result["global"]
    total = [list(table), [_digits(value) for value in table.values()]]
    rows = [["Sequence", "J-Mean", "F-Mean"]] + [
        [f"{name}_{key}", _digits(row["J-Mean"]), _digits(row["F-Mean"])]
        for name, sequence in result["sequences"].items()
        for key, row in sequence["objects"].items()
    ]
    paths = (folder / f"global_results-{subset}.csv", folder / f"per-sequence_results-{subset}.csv")
    for path, lines in zip(paths, (total, rows)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        write_bytes(path, text.getvalue().encode("utf-8", "backslashreplace"))
    return paths


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
