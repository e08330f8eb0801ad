"""How right a run's `absent` is: precision and recall against the truth, and of other rules.

    python -m vosjax.eval.absence RUN [RUN ...] [--data DATASET]

An object is absent in a frame whose truth shows no pixel of it. A run tells of every object its
mask's area, its mean probability and its margin there; a rule calls it absent where the mask is
empty or one of these is low. The frame that gives an object is left out, and so are objects that
the dataset never gives.
"""

import argparse
import csv
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.eval import folder as files
from vosjax.eval import layout, source
from vosjax.eval.stored import open_picture
from vosjax.io.palette import read_label_png

PROBABILITIES = (0.0, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
MARGINS = (0.1, 0.2, 0.3, 0.4, 0.5)


class Verdicts(NamedTuple):
    """Of n objects in frames, each array [n]: what was said of them, and if they were absent."""

    probability: np.ndarray
    margin: np.ndarray
    area: np.ndarray
    called: np.ndarray
    absent: np.ndarray


class Quality(NamedTuple):
    """Of a rule: precision, recall and their harmonic mean; NaN where nothing can be divided."""

    precision: float
    recall: float
    both: float


def gather(run, sequences: Sequence[layout.EvalVideo]) -> Verdicts:
    """The verdicts in a run's scores/*.csv, beside the truth.

    Raises:
      InputError: no scores of a sequence that has truth.
    """
    rows = []
    for sequence in sequences:
        path = pathlib.Path(run) / "scores" / f"{sequence.name}.csv"
        if sequence.truths is None:
            continue
        if not path.is_file():
            raise InputError(f"{path} is missing: name the folder of a complete run of --mode eval")
        shown = {
            index: set(np.unique(read_label_png(open_picture(file))).tolist())
            for index, file in sequence.truths.items()
        }
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                index, key = int(row["frame"]), int(row["object"])
                if index in shown and index > sequence.starts[key]:
                    rows.append(
                        (
                            float(row["mean_probability"]),
                            float(row["margin"]),
                            int(row["area"]),
                            int(row["absent"]),
                            key not in shown[index],
                        )
                    )
    columns = np.array(rows, float).reshape(-1, 5).T
    return Verdicts(*columns[:3], columns[3] > 0, columns[4] > 0)


def together(verdicts: Sequence[Verdicts]) -> Verdicts:
    """Those of several runs."""
    return Verdicts(*(np.concatenate(column) for column in zip(*verdicts)))


def quality(called: np.ndarray, absent: np.ndarray) -> Quality:
    """Of calls [n] against the truth [n]."""
    hits, calls, cases = (called & absent).sum(), called.sum(), absent.sum()
    precision = hits / calls if calls else float("nan")
    recall = hits / cases if cases else float("nan")
    return Quality(precision, recall, 2 * hits / (calls + cases) if calls + cases else float("nan"))


def rules(verdicts: Verdicts) -> dict[str, Quality]:
    """The run's own calls, and what others would have given."""
    empty = verdicts.area == 0
    found = {"as called": quality(verdicts.called, verdicts.absent)}
    for low in PROBABILITIES:
        name = f"empty, or mean probability below {low}" if low else "empty"
        found[name] = quality(empty | (verdicts.probability < low), verdicts.absent)
    for low in MARGINS:
        found[f"empty, or margin below {low}"] = quality(
            empty | (verdicts.margin < low), verdicts.absent
        )
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--data", help="the dataset, if it is not where the run found it")
    options = parser.parse_args()
    found = []
    for run in options.runs:
        settings = files.results(run)["settings"]
        found.append(
            gather(run, source.discover(options.data or settings["data"], settings["eval"]))
        )
    verdicts = together(found)
    print(f"{len(verdicts.absent)} objects in frames, {int(verdicts.absent.sum())} of them absent")
    print(f"{'rule':<40} precision  recall    both")
    for name, each in rules(verdicts).items():
        print(f"{name:<40} {each.precision:9.3f} {each.recall:7.3f} {each.both:7.3f}")


if __name__ == "__main__":
    main()
