"""Reads in a separate thread: ahead of the consumer, and without holding up Ctrl-C."""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 0.5  # seconds to wait for a thread that was told to stop
LOOK = 0.1  # seconds from one call of `stop` to the next


def prefetch(
    iterable: Iterable[T], depth: int = 4, *, stop: Callable[[], bool] | None = None
) -> Generator[T, None, None]:
    """Iterates `iterable` in a background thread, up to `depth` items ahead.

        for frame in prefetch(video.frames()):
            use(frame)

    An exception of the iterable is raised at its place in the order. Closing the generator (or
    leaving the loop and dropping it) stops the thread, which then closes the iterable. A thread
    whose source gives nothing (a frozen camera) is left behind after half a second; it closes the
    source when that wakes, and does not keep the process from ending.

    Args:
        iterable: the items.
        depth: number of items that may wait, at least 1.
        stop: is called while no item is ready; the iteration ends when it returns True.

    Raises:
        ValueError: `depth` is below 1.
    """
    if depth < 1:
        raise ValueError(f"prefetch: depth must be at least 1, got {depth}")
    items: queue.Queue[Any] = queue.Queue(maxsize=depth)
    closing = threading.Event()

    def put(item: Any) -> None:
        # Nobody reads any more while it is closing, so a full queue is no reason to wait.
        with contextlib.suppress(queue.Full):
            items.put(item, block=not closing.is_set())

    def work() -> None:
        end: BaseException | None = None
        iterator: Any = None
        try:
            iterator = iter(iterable)
            for item in iterator:
                put((item,))
                if closing.is_set():
                    break
        except BaseException as error:  # any error is raised again in the consumer
            end = error
        if hasattr(iterator, "close"):
            with contextlib.suppress(Exception):
                iterator.close()
        put(end)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while isinstance(item := _next(items, stop), tuple):
            yield item[0]
        if item is not None:
            raise item
    finally:
        closing.set()
        with contextlib.suppress(queue.Empty):  # room for a `put` that is waiting
            while True:
                items.get_nowait()
        thread.join(PATIENCE)


def _next(items: queue.Queue[Any], stop: Callable[[], bool] | None) -> Any:
    """Returns the next item; None if it is to stop before there is one."""
    if stop is None:
        return items.get()
    while True:
        with contextlib.suppress(queue.Empty):
            return items.get(timeout=LOOK)
        if stop():
            return None


def interruptibly(call: Callable[[], T]) -> T:
    """Runs `call()` in a separate thread, so that Ctrl-C ends the waiting for it at once.

        device = interruptibly(lambda: "opened")

    It is for calls into libraries that wait for a device or the network and ignore signals.
    """
    calls = prefetch(call() for _ in range(1))
    with contextlib.closing(calls):
        return next(calls)
