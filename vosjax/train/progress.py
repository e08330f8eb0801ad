"""The line that tells how far a training is, and how much time is left."""

import datetime
import time
from collections.abc import Mapping

from vosjax.io.terminal import Line

MAIN = ("loss", "j", "validation_j", "validation_f")  # what a narrow terminal shows first


class Progress:
    """One line about a training: rewritten in place on a terminal, else one for each row.

    progress = Progress(start=0, last=6000)
    progress.show(20, {"loss": 0.7})    # step     20 of 6000, 0:41:12 left  loss 0.7
    progress.close()
    """

    def __init__(self, *, start: int, last: int | None) -> None:
        """Begins to measure the time.

        Args:
            start: number of steps done before.
            last: number of steps of the training; None: it is not known, and no time is told.
        """
        self._line, self._last = Line(), last
        self._since = time.monotonic(), start
        self._first = True
        self._shown: dict[str, float] = {}

    def show(self, step: int, values: Mapping[str, float]) -> None:
        """Shows the figures of a step, {name: value}; on a terminal those of earlier ones stay."""
        left = self._left(step)
        head = f"step {step:6d}" + (f" of {self._last}, {left} left" if left else "")
        if self._line.in_place:
            self._shown |= values
            values = {name: self._shown[name] for name in sorted(self._shown, key=_rank)}
        self._line.show(f"{head}  " + "  ".join(f"{k} {v:.4g}" for k, v in values.items()))

    def close(self) -> None:
        """Ends the line."""
        self._line.close()

    def _left(self, step: int) -> str:
        """Returns the time that is left, as H:MM:SS; '' if it cannot be told."""
        now, (then, before) = time.monotonic(), self._since
        if self._first:  # the steps up to here include compiling
            self._since, self._first = (now, step), False
        if self._last is None or step <= before:
            return ""
        seconds = (now - then) / (step - before) * (self._last - step)
        return str(datetime.timedelta(seconds=round(seconds)))


def _rank(name: str) -> int:
    return MAIN.index(name) if name in MAIN else len(MAIN)
