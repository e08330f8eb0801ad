"""Precision and recall of a run's `absent` flags against the ground truth, also for other rules.

    python -m vosjax.eval.absence RUN [RUN ...] [--data DATASET]

An object is absent in a frame if the ground truth shows no pixel of it. For every object in every
frame a run records the area, the mean probability and the margin of its mask; a rule calls the
object absent if the mask is empty or one of these is low. The frame in which an object is given is
left out, and so are objects that the dataset never gives.
"""

import csv
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError
from vosjax.errors import shown as shown_error
from vosjax.eval import folder as run_folder
from vosjax.eval import source
from vosjax.eval.config import recorded
from vosjax.eval.report import checked_settings
from vosjax.eval.videos import EvalVideo, read_labels
from vosjax.io.door import Parser, guarded
from vosjax.io.terminal import say

PROBABILITIES = (0.0, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
MARGINS = (0.1, 0.2, 0.3, 0.4, 0.5)


class Verdicts(NamedTuple):
    """What a run recorded of n pairs of an object and a frame, and the truth; arrays [n].

    probability  mean probability over the mask
    margin       mean margin over the second most probable object there
    area         pixels of the mask
    called       whether the run called the object absent
    absent       whether it is absent in the ground truth
    """

    probability: npt.NDArray[np.float64]
    margin: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]
    called: npt.NDArray[np.bool_]
    absent: npt.NDArray[np.bool_]


class Quality(NamedTuple):
    """Precision and recall of a rule, and their harmonic mean; NaN if undefined."""

    precision: float
    recall: float
    both: float


def gather(run: str | os.PathLike[str], videos: Sequence[EvalVideo]) -> Verdicts:
    """Reads the verdicts of a run from its scores/*.csv, together with the ground truth.

        quality(*gather("runs/davis", videos)[3:]).precision

    Args:
        run: the folder of the run.
        videos: the videos of its dataset; those without public truth are passed over.

    Raises:
        InputError: the scores of a video with public truth are missing or damaged.
    """
    rows: list[Any] = []
    for video in videos:
        path = run_folder.scores_file(run, video)
        if video.truths is None:
            continue
        if not path.is_file():
            raise InputError(f"{path} is missing: name the folder of a complete run of --mode eval")
        visible = {
            index: set(np.unique(read_labels(video, index)).tolist()) for index in video.truths
        }
        try:
            with open(path, newline="", encoding="utf-8") as file:
                rows += _rows(csv.DictReader(file), visible, video.starts)
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise InputError(
                f"{path} is no table of scores ({shown_error(error)}): run the video again"
            ) from error
    probability, margin, area, called, absent = np.array(rows, np.float64).reshape(-1, 5).T
    return Verdicts(probability, margin, area, called > 0, absent > 0)


def _rows(
    lines: Iterable[Mapping[str, str]], visible: Mapping[int, set[int]], starts: Mapping[int, int]
) -> Iterator[tuple[float, float, int, int, bool]]:
    """Yields the rows of `Verdicts` in a table of scores, for the frames {index: visible ids}."""
    for row in lines:
        index, key = int(row["frame"]), int(row["object"])
        if index in visible and index > starts[key]:
            yield (
                float(row["mean_probability"]),
                float(row["margin"]),
                int(row["area"]),
                int(row["absent"]),
                key not in visible[index],
            )


def together(verdicts: Sequence[Verdicts]) -> Verdicts:
    """Joins the verdicts of several runs.

    verdicts = together([gather(run, videos) for run in runs])
    """
    return Verdicts(*(np.concatenate(column) for column in zip(*verdicts)))


def quality(called: npt.NDArray[np.bool_], absent: npt.NDArray[np.bool_]) -> Quality:
    """Measures calls, bool [n], against the truth, bool [n].

    quality(called, absent).precision
    """
    hits, calls, cases = (called & absent).sum(), called.sum(), absent.sum()
    precision = hits / calls if calls else float("nan")
    recall = hits / cases if cases else float("nan")
    return Quality(precision, recall, 2 * hits / (calls + cases) if calls + cases else float("nan"))


def rules(verdicts: Verdicts) -> dict[str, Quality]:
    """Returns {rule: quality} for the run's own calls and for rules that it might have used.

    rules(verdicts)["as called"].recall
    """
    empty = verdicts.area == 0
    qualities = {"as called": quality(verdicts.called, verdicts.absent)}
    for low in PROBABILITIES:
        name = f"empty, or mean probability below {low}" if low else "empty"
        qualities[name] = quality(empty | (verdicts.probability < low), verdicts.absent)
    for low in MARGINS:
        qualities[f"empty, or margin below {low}"] = quality(
            empty | (verdicts.margin < low), verdicts.absent
        )
    return qualities


def table(
    runs: Sequence[str | os.PathLike[str]], data: str | os.PathLike[str] | None = None
) -> str:
    """Formats the quality of all rules over the verdicts of several runs, one rule a line.

        print(table(["runs/davis"]))

    Args:
        runs: folders of complete runs.
        data: the dataset, if it has moved since the runs.

    Raises:
        InputError: a folder is no complete run, or the dataset is missing.
    """
    gathered = []
    for run in runs:
        settings = checked_settings(run_folder.results(run), run)
        evaluation = recorded(settings["eval"], pathlib.Path(run) / "results.json")
        gathered.append(gather(run, source.discover(data or settings["data"], evaluation)))
    verdicts = together(gathered)
    lines = [
        f"{len(verdicts.absent)} objects in frames, {int(verdicts.absent.sum())} of them absent",
        f"{'rule':<40} precision  recall    both",
    ]
    for name, rule in rules(verdicts).items():
        lines.append(f"{name:<40} {rule.precision:9.3f} {rule.recall:7.3f} {rule.both:7.3f}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    return guarded("absence", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.eval.absence", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--data", help="the dataset, if it is not where the run found it")
    options = parser.parse_args(words)
    say(*table(options.runs, options.data).splitlines())


if __name__ == "__main__":
    sys.exit(main())
