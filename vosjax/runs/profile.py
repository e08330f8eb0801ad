"""A profile of chosen steps or frames, written where TensorBoard's profile plugin looks for it."""

import contextlib
import os
import pathlib
import sys
import threading
import warnings
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

import jax

from vosjax.errors import Note
from vosjax.io.refusals import writing
from vosjax.io.terminal import say
from vosjax.runs import clear

BOARD = "tensorboard"  # in a run's folder
Item = TypeVar("Item")


def files(folder: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Returns the files of all profiles in a run's folder.

    traces = files("runs/davis")
    """
    dates = (pathlib.Path(folder) / BOARD / "plugins" / "profile").glob("*")
    return [path for date in dates for path in clear.matching(date, r".*\.(xplane\.pb|json\.gz)")]


class Profile:
    """Profiles some of the items that a loop makes: its steps, or the frames of a video.

        profile = Profile("runs/first", (100, 105), what="step")
        for done in profile.over(steps, start=1, end=6001):
            ...     # steps 100 to 105 are traced

    The trace goes to `FOLDER/tensorboard/plugins/profile/DATE/HOST.xplane.pb`. It holds the steps
    or frames by their numbers, and for every operation the regions that it belongs to
    (`jax.named_scope`). One trace is made, by the first loop that comes to these numbers, and on a
    cluster by the first process alone. If it cannot be made, a `Note` says why, and the loop runs
    on.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] = "",
        span: tuple[int, int] | None = None,
        *,
        what: str = "frame",
    ) -> None:
        """Names what will be profiled; nothing is written yet.

        Args:
            folder: the run's folder.
            span: numbers of the first and of the last item that are profiled; None: no profile.
            what: what an item is, in the singular.
        """
        self.folder = pathlib.Path(folder) / BOARD
        self._span, self._what = span, what
        self._begun, self._lock = False, threading.Lock()

    def over(
        self, items: Generator[Item], *, start: int, end: int | None = None
    ) -> Generator[Item]:
        """Yields the items, and profiles those that were chosen.

        The device finishes what was dispatched before the first of them, and the last of them
        itself, so that the trace holds these items and no others.

        Args:
            items: makes an item, a pytree with arrays in it, on each `next`; closed at the end.
            start: number of the first item.
            end: number after that of the last item; None: it is not known.
        """
        if self._span is None:
            yield from items
            return
        running, item = False, None
        try:
            for number in range(start, sys.maxsize if end is None else end):
                running = running or self._begin(number, item)
                with jax.profiler.StepTraceAnnotation(self._what, step_num=number):
                    item = next(items, None)
                if item is None:
                    return
                if running and number >= self._span[1]:
                    jax.block_until_ready(item)
                    self._end()
                    running = False
                yield item
            yield from items
        finally:
            if running:
                self._end()
            items.close()

    def _begin(self, number: int, before: Any) -> bool:
        """Starts the trace if it is due; returns whether it runs."""
        with self._lock:
            chosen = self._span is not None and self._span[0] <= number <= self._span[1]
            if self._begun or not chosen or jax.process_index():
                return False
            self._begun = True
        jax.block_until_ready(before)
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0  # Python's calls would fill the trace, and slow the host
        with self._noted(), writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            jax.profiler.start_trace(self.folder, profiler_options=options)
            return True
        return False

    def _end(self) -> None:
        """Ends the trace and writes it."""
        with self._noted(), writing(self.folder):
            jax.profiler.stop_trace()
            say(f"a profile is in {self.folder}: see it by tensorboard --logdir {self.folder}")

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, ValueError) as error:
            warnings.warn(f"there is no profile in {self.folder}: {error}", Note, stacklevel=3)
