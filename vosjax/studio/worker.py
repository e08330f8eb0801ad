"""The one thread that computes on the device: jobs frame by frame, short calls in between."""

import concurrent.futures
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """Runs calls and jobs in one thread.

        worker = Worker()
        mask = worker.call(lambda: marker.probability(box=box))     # waits for the result
        worker.start(job)                                           # an iterator, step by step

    A job is an iterator of which one step is made after the other; calls are carried out between
    two steps, so that a click waits for one frame of a propagation at most. Jobs take turns, step
    by step.
    """

    def __init__(self) -> None:
        """Starts the thread."""
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._jobs: list[Iterator[Any]] = []
        self._thread = threading.Thread(target=self._work, name="device", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], T]) -> T:
        """Returns the result of a function that is called in the thread.

        Raises:
            RuntimeError: the worker is closed.
            Exception: whatever the function raises.
        """
        if not self._thread.is_alive():
            raise RuntimeError("the worker is closed")
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._calls.put(run)
        return future.result()

    def start(self, job: Iterator[Any]) -> None:
        """Begins a job; errors are its own affair, and one that raises is dropped."""
        self._calls.put(lambda: self._jobs.append(job))

    def close(self) -> None:
        """Ends the thread after the present step; jobs are closed where they are."""
        self._calls.put(None)
        self._thread.join(60)

    def _work(self) -> None:
        while True:
            try:
                call = self._calls.get(block=not self._jobs)
            except queue.Empty:
                self._step()
                continue
            if call is None:
                break
            call()
        for job in self._jobs:
            _closed(job)
        with contextlib.suppress(queue.Empty):  # those who came in the meantime wait for an answer
            while True:
                rest = self._calls.get(block=False)
                if rest is not None:
                    rest()

    def _step(self) -> None:
        job = self._jobs.pop(0)
        try:
            next(job)
        except StopIteration:
            return
        except Exception:
            _closed(job)
            return
        self._jobs.append(job)


def _closed(job: Iterator[Any]) -> None:
    with contextlib.suppress(Exception):
        job.close()  # type: ignore[attr-defined]  # generators are what jobs are
