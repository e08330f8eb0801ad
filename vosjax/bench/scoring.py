"""Measures the speed of scoring with several numbers of processes, and of a plain implementation.

    python -m vosjax.bench.scoring --truth DAVIS/Annotations/480p --prediction MASKS

The plain implementation follows the definition: it scores each object separately over whole frames
and dilates its boundaries by the disk. For each way it prints the median and the range of the wall
time, the median processor time of all processes and threads (which is meaningful on a busy machine,
too), and the ratios of the plain implementation's times to them. Without --prediction, the ground
truth of the frame before is the prediction of each frame (a good but inexact mask), so that any
annotated folder can be timed. The rounds alternate between the ways, so that other load affects all
of them. The global tables of all ways are compared and must agree.
"""

import functools
import math
import pathlib
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from vosjax.errors import InputError
from vosjax.eval import metrics, protocols, scoring
from vosjax.io.door import Parser, count, counts, guarded
from vosjax.io.palette import read_label_png
from vosjax.io.terminal import say


def plain_frame_scores(
    truth: np.ndarray, prediction: np.ndarray, *, objects: Sequence[int], bound: float = 0.008
) -> Any:
    """Computes `metrics.frame_scores` by its definition: object by object, without cropping.

    j, f = plain_frame_scores(truth, prediction, objects=[1, 2])
    """
    radius = metrics.tolerance(*truth.shape, bound=bound)
    offsets = np.arange(-radius, radius + 1)
    disk = (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.uint8)
    scores = [_plain_object(truth == key, prediction == key, disk) for key in objects]
    return tuple(np.array(scores, dtype=np.float64).reshape(-1, 2).T)


def _plain_object(truth: np.ndarray, prediction: np.ndarray, disk: np.ndarray) -> Any:
    union = np.count_nonzero(truth | prediction)
    similarity = np.count_nonzero(truth & prediction) / union if union else 1.0
    edges = metrics.boundary(truth), metrics.boundary(prediction)
    near = [cv2.dilate(edge.astype(np.uint8), disk) != 0 for edge in edges]
    count = [np.count_nonzero(edge) for edge in edges]
    if 0 in count:
        return similarity, float(count[0] == count[1])
    precision = np.count_nonzero(edges[1] & near[0]) / count[1]
    recall = np.count_nonzero(edges[0] & near[1]) / count[0]
    both = precision + recall
    return similarity, 2 * precision * recall / both if both else 0.0


def plain_davis_table(truth: pathlib.Path, prediction: pathlib.Path) -> Any:
    """Computes the DAVIS 2017 table of two folders by `plain_frame_scores`, in one process.

    table = plain_davis_table(truth, prediction)
    """
    results = {}
    for folder in sorted(path for path in truth.iterdir() if path.is_dir()):
        files = sorted(folder.glob("*.png"))
        first = read_label_png(files[0])
        count = int(first[first != protocols.VOID].max())
        curves = []
        for file in files[1:-1]:
            labels = read_label_png(file)
            predicted = read_label_png(prediction / folder.name / file.name)
            labels = np.where(labels == protocols.VOID, 0, labels)
            curves.append(plain_frame_scores(labels, predicted, objects=range(1, count + 1)))
        j, f = np.moveaxis(np.array(curves), 0, -1)
        results[folder.name] = {
            "objects": {str(key + 1): _row(j[key], f[key]) for key in range(count)}
        }
    return protocols.davis().total(results)


def _row(j: np.ndarray, f: np.ndarray) -> Any:
    names = ("Mean", "Recall", "Decay")
    row = {f"J-{name}": value for name, value in zip(names, metrics.statistics(j))}
    return row | {f"F-{name}": value for name, value in zip(names, metrics.statistics(f))}


def delayed_truth(truth: pathlib.Path, output: pathlib.Path) -> Any:
    """Writes the ground truth of each frame as the prediction of the next one.

        delayed_truth(pathlib.Path("DAVIS/Annotations/480p"), pathlib.Path("delayed"))

    Sequences with fewer than three frames are left out.

    Returns:
        The two folders to score: symbolic links to the sequences, and their predictions.

    Raises:
        InputError: the folder does not exist, or holds no such sequence.
    """
    _check_folder(truth)
    for folder in sorted(path for path in truth.iterdir() if path.is_dir()):
        files = sorted(folder.glob("*.png"))
        if len(files) < 3:
            continue
        (output / "truth").mkdir(exist_ok=True, parents=True)
        (output / "prediction" / folder.name).mkdir(parents=True)
        (output / "truth" / folder.name).symlink_to(folder.resolve())
        for file, before in zip(files, [files[0], *files]):
            shutil.copyfile(before, output / "prediction" / folder.name / file.name)
    if not (output / "truth").is_dir():
        raise InputError(f"{truth} holds no folder with three label PNGs or more")
    return output / "truth", output / "prediction"


def _check_folder(folder: pathlib.Path) -> None:
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder}: name one that holds a folder of label PNGs "
            "for each sequence"
        )


def _table(
    truth: pathlib.Path, prediction: pathlib.Path, protocol: protocols.Protocol, processes: int
) -> dict[str, float]:
    return scoring.score(truth, prediction, protocol=protocol, processes=processes)["global"]


def measure(
    truth: pathlib.Path,
    prediction: pathlib.Path,
    *,
    processes: Sequence[int] = (1, 2, 4),
    rounds: int = 5,
) -> Any:
    """Measures the plain implementation and each number of processes.

        seconds = measure(truth, prediction, processes=(1, 2), rounds=3)

    Args:
        truth: a folder of label maps.
        prediction: a folder of predicted label maps.
        processes: the numbers of processes.
        rounds: number of rounds.

    Returns:
        {way: [(wall, processor) seconds of each round]}.

    Raises:
        InputError: a folder does not exist.
    """
    for folder in (truth, prediction):
        _check_folder(folder)
    protocol = protocols.davis()
    ways: dict[str, Callable[[], Any]] = {
        "plain, 1 process": lambda: plain_davis_table(truth, prediction)
    }
    for number in processes:
        ways[f"vosjax, {number} process{'es' if number > 1 else ''}"] = functools.partial(
            _table, truth, prediction, protocol, number
        )
    tables: dict[str, Any] = {}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start, used = time.perf_counter(), _processor_seconds()
            tables[name] = way()
            seconds[name].append((time.perf_counter() - start, _processor_seconds() - used))
    reference = tables["plain, 1 process"]
    for name, table in tables.items():
        if any(not math.isclose(table[key], reference[key], abs_tol=1e-9) for key in reference):
            raise AssertionError(f"{name} gives {table}, the plain way {reference}")
    return seconds


def _processor_seconds() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in usage)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints how fast each way is; returns the exit code."""
    return guarded("scoring", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.scoring", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--truth", type=pathlib.Path, required=True)
    parser.add_argument("--prediction", type=pathlib.Path)
    parser.add_argument("--processes", type=counts, default=[1, 2, 4])
    parser.add_argument("--rounds", type=count, default=5)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as scratch:
        folders = options.truth, options.prediction
        if options.prediction is None:
            folders = delayed_truth(options.truth, pathlib.Path(scratch))
        seconds = measure(*folders, processes=options.processes, rounds=options.rounds)
    plain = _medians(seconds["plain, 1 process"])
    for name, values in seconds.items():
        wall, used = _medians(values)
        spread = sorted(value for value, _ in values)
        say(
            f"{name:<20} {wall:7.2f} s ({spread[0]:.2f} .. {spread[-1]:.2f}), {used:7.2f} s of "
            f"processor; plain takes {plain[0] / wall:.2f} and {plain[1] / used:.2f} times that"
        )


def _medians(pairs: Any) -> Any:
    return [statistics.median(values) for values in zip(*pairs)]


if __name__ == "__main__":
    sys.exit(main())
