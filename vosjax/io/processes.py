"""Worker processes: spawned, and gone when the process that started them ends, however it ends."""

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
    """Runs a pool of spawned processes; a forked process may hang, as JAX runs threads.

        with pool(4, setting="eval.processes") as workers:
            results = [future.result() for future in [workers.submit(len, "abc")]]

    If the block raises an error, tasks that have not started are cancelled.

    Args:
        workers: number of processes, at least 1.
        setting: the config field that sets this number, for the message.
        initializer: is called in each process before anything else.
        initargs: the arguments of `initializer`.

    Raises:
        InputError: a process was killed, as systems do when memory runs out.
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
    """Ends this process when its parent ends, even by SIGKILL.

        end_with_parent()       # in a worker, before its first task

    A worker that waits for tasks holds both ends of the pipe at which it waits, and would otherwise
    wait for ever. A process without a parent process of `multiprocessing` is left alone.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: Any) -> None:
    parent.join()
    os._exit(1)  # nobody is left to receive an error or a result


def _begin(initializer: Callable[..., Any] | None, initargs: tuple[Any, ...]) -> None:
    end_with_parent()
    if initializer is not None:
        initializer(*initargs)
