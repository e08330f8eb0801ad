"""Notes Ctrl-C and SIGTERM while something is done that has to end in good order."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from vosjax.io.terminal import say

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stop_signals(note: str = "") -> Iterator[list[int]]:
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
