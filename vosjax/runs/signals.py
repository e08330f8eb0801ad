"""Ctrl-C and SIGTERM, noted while something is done that is to end in good order."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from vosjax.io.terminal import say

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stop_signals(note: str = "") -> Iterator[list[int]]:
    """Gives a list that a signal puts its number into; a second one ends at once.

        with stop_signals() as stop:
            for frame in frames:
                ...
                if stop:
                    break

    Handlers are as before afterwards. Outside of the main thread, where signals are someone else's
    affair, the list stays empty.

    Args:
        note: what is said when the first signal comes.
    """
    stop: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: Any) -> None:
        if stop:
            raise KeyboardInterrupt
        stop.append(number)
        if note:
            say(note)

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
