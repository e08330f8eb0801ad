"""Notes Ctrl-C and SIGTERM while something is done that has to end in good order."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from vosjax.io.terminal import say

SIGNALS = (signal.SIGINT, signal.SIGTERM)
T = TypeVar("T")


class Interrupted(Exception):
    """A signal came during work that gives way to it."""


class Signals(list[int]):
    """The numbers of the signals that came.

    gives_way  whether the next signal raises `Interrupted` where the program is
    """

    gives_way = False


def unless_stopped(stop: Signals, work: Callable[[], T]) -> T | None:
    """Does work that gives way to a signal; returns its result, or None if a signal came.

        with stop_signals() as stop:
            score = unless_stopped(stop, lambda: validate(params))

    It is for work that takes long and may be left out, where the signal's sender waits for the
    program to end. What the work has begun is left as it is.

    Args:
        stop: what `stop_signals` yields.
        work: a function without arguments.
    """
    try:
        try:
            stop.gives_way = True
            return None if stop else work()
        finally:
            stop.gives_way = False
    except Interrupted:
        return None


@contextlib.contextmanager
def stop_signals(note: str = "") -> Iterator[Signals]:
    """Yields a list that gets the number of a signal; a second signal ends the program at once.

        with stop_signals() as stop:
            for frame in frames:
                ...
                if stop:
                    break

    The earlier handlers are restored afterwards. Outside the main thread, which cannot handle
    signals, the list stays empty.

    Args:
        note: a line that is printed when the first signal comes.
    """
    stop = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: Any) -> None:
        if stop:
            raise KeyboardInterrupt
        stop.append(number)
        if note:
            say(note)
        if stop.gives_way:
            raise Interrupted

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
