"""Worker processes: spawned, and gone when the process that started them is, however it ended."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from vosjax.errors import InputError


@contextlib.contextmanager
def pool(
    workers: int,
    *,
    setting: str,
    initializer: Callable[..., Any] | None = None,
    initargs: tuple[Any, ...] = (),
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """A pool of spawned processes, as a fork of a process in which JAX runs threads may hang.

        with pool(4, setting="eval.processes") as workers:
            results = [future.result() for future in [workers.submit(len, "abc")]]

    Where the block raises, what has not begun is not begun any more.

    Args:
      workers: how many, at least 1.
      setting: the field that says how many, for the message.
      initializer: called in each process before anything else.
      initargs: its arguments.

    Raises:
      InputError: a process was killed, as systems do where memory runs out.
    """
    with concurrent.futures.ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(initializer, initargs),
    ) as executor:
        try:
            yield executor
        except concurrent.futures.BrokenExecutor as error:
            raise InputError(
                f"one of {workers} worker processes was killed, as happens where memory runs out: "
                f"take fewer ({setting}), or free some memory; the same command goes on"
            ) from error
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def end_with_parent() -> None:
    """Ends this process when its parent ends, even by SIGKILL; a process without one goes on.

    A worker that waits for work holds both ends of the pipe that it waits at, and would wait for
    ever.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: Any) -> None:
    parent.join()
    os._exit(1)  # nobody is left to be told, or to take what is under way


def _begin(initializer: Callable[..., Any] | None, initargs: tuple[Any, ...]) -> None:
    end_with_parent()
    if initializer is not None:
        initializer(*initargs)
