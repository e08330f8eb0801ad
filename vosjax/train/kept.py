"""Which checkpoints of a folder are kept: the newest ones, and those with the best scores."""

import json
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

FIGURES = "figures"  # the item of a checkpoint with its score; earlier versions have none
SCORE = "validation_j"  # the figure that is its score: larger is better


def scores(folder: pathlib.Path, saved: Iterable[int]) -> dict[int, float]:
    """Returns {step: score} of those checkpoints in a folder that have a score.

        folder = pathlib.Path("runs/stcn/checkpoints")
        scores(folder, checkpoint_folder.steps(folder))      # {1000: 0.71, 2000: 0.74}

    A score that cannot be read counts as none.
    """
    read = ((step, figures(folder, step).get(SCORE)) for step in saved)
    return {step: float(score) for step, score in read if is_score(score)}


def figures(folder: pathlib.Path, step: int) -> dict[str, Any]:
    """Returns the figures that a checkpoint was stored with, or {} if none can be read.

    figures(pathlib.Path("runs/stcn/checkpoints"), 1000)     # {'validation_j': 0.71}
    """
    try:
        values = json.loads((folder / str(step) / FIGURES / "metadata").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def is_score(value: Any) -> TypeGuard[float]:
    """Returns whether something can be a score: a finite number.

    is_score(float("nan"))      # False
    """
    return isinstance(value, int | float) and math.isfinite(value)


def ranked(by_step: Mapping[int, float]) -> list[int]:
    """Returns steps in the order of their scores, the best first; of equal ones the earlier.

    ranked({10: 0.5, 20: 0.7, 30: 0.7})       # [20, 30, 10]
    """
    return sorted(by_step, key=lambda step: (-by_step[step], step))


def is_among_best(score: Any, by_step: Mapping[int, float], best: int) -> bool:
    """Returns whether a new score is among the best.

        is_among_best(0.8, {10: 0.7}, best=1)       # True

    Args:
        score: the new score; anything else than a finite number is none.
        by_step: {step: score} of the checkpoints so far; those that were removed do not matter.
        best: number of best scores.
    """
    if not best or not is_score(score):
        return False
    return len(by_step) < best or score > by_step[ranked(by_step)[best - 1]]


def kept_steps(
    saved: Iterable[int], by_step: Mapping[int, float], *, newest: int, best: int
) -> set[int]:
    """Returns which of some checkpoints are kept.

        kept_steps([10, 20, 30], {10: 0.9, 20: 0.1}, newest=1, best=1)      # {10, 30}

    Args:
        saved: steps of all checkpoints.
        by_step: {step: score} of those that have a score.
        newest: number of newest ones that are kept.
        best: number of those with the best scores that are kept besides; they may be the same.
    """
    saved = sorted(saved)
    return {*saved[-newest:], *ranked({s: by_step[s] for s in saved if s in by_step})[:best]}


class NewestAndBest:
    """The rule by which Orbax removes checkpoints; see `kept_steps` for the arguments.

        options = ocp.CheckpointManagerOptions(preservation_policy=NewestAndBest(folder, 3, 1))

    The checkpoint that is being written is the newest one, so that its score is not needed yet.
    """

    def __init__(self, folder: pathlib.Path, newest: int, best: int) -> None:
        self._folder, self._newest, self._best = folder, newest, best

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> Sequence[bool]:
        """Returns for each of Orbax's descriptions of checkpoints whether it is kept."""
        saved = [info.step for info in checkpoints]
        chosen = kept_steps(
            saved, scores(self._folder, saved), newest=self._newest, best=self._best
        )
        return [step in chosen for step in saved]
