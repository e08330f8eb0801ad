"""A folder of checkpoints, with one subfolder for each step, kept by Orbax's manager."""

import contextlib
import logging
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator

import orbax.checkpoint as ocp

from vosjax.errors import InputError
from vosjax.io.refusals import disk_full
from vosjax.train import processes
from vosjax.train.kept import NewestAndBest

ASIDE = "damaged-"  # prefix of the name of a damaged checkpoint that was set aside
LONGEST = 160  # most characters of a library's message


def manager(
    folder: str | os.PathLike[str], *, keep: int | None = None, keep_best: int = 0
) -> ocp.CheckpointManager:
    """Makes a manager of the checkpoints in a folder, which has one subfolder for each step.

        with manager("runs/stcn/checkpoints") as checkpoints:
            state = restore(checkpoints, like, described(config))

    Args:
        folder: the folder; it is made if it is missing.
        keep: number of newest checkpoints to keep; None opens the folder for reading only, which is
            safe while a run writes to it. Otherwise what a killed process left half-written is
            removed.
        keep_best: number of checkpoints with the best scores to keep besides.
    """
    folder = pathlib.Path(folder).absolute()
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax logs every file and setting
    if not isinstance(sys.unraisablehook, _WithoutLateCallbacks):
        sys.unraisablehook = _WithoutLateCallbacks(sys.unraisablehook)
        logging.getLogger("asyncio").addFilter(_told_already)
    if keep is None:
        options = ocp.CheckpointManagerOptions(read_only=True)
    else:
        options = ocp.CheckpointManagerOptions(
            preservation_policy=NewestAndBest(folder, keep, keep_best),
            enable_async_checkpointing=True,
            cleanup_tmp_directories=True,
        )
    return ocp.CheckpointManager(folder, options=options)


class _WithoutLateCallbacks:
    """A hook for unraisable errors that ignores late callbacks of TensorStore's threads.

    When one of many files cannot be read or written, Orbax raises that error and closes its event
    loop, to which other threads may still report.
    """

    def __init__(self, hook: Callable[["sys.UnraisableHookArgs"], object]) -> None:
        self._hook = hook

    def __call__(self, unraisable: "sys.UnraisableHookArgs") -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            self._hook(unraisable)


def _told_already(record: logging.LogRecord) -> bool:
    """A filter that leaves out the errors of Orbax's other files, once it has raised that of one.

    Their tasks are never asked, and Python logs them when they are collected, at any later time.
    """
    text = record.getMessage()
    return not (text.startswith("Task exception was never retrieved") and "orbax" in text)


@contextlib.contextmanager
def managed(
    folder: str | os.PathLike[str], *, keep: int, keep_best: int = 0
) -> Iterator[ocp.CheckpointManager]:
    """Opens a `manager` for writing and closes it at the end.

        with managed("runs/stcn/checkpoints", keep=3) as checkpoints:
            save(checkpoints, state, described(config))

    Raises:
        InputError: the folder cannot be made or written.
        DiskFull: the disk is full.
    """
    with saving(folder):
        checkpoints = manager(folder, keep=keep, keep_best=keep_best)
    try:
        yield checkpoints
    except BaseException:
        with contextlib.suppress(Exception):  # only the first error is reported
            checkpoints.close()
        raise
    with saving(folder):
        checkpoints.close()


def steps(folder: pathlib.Path) -> list[int]:
    """Returns the steps of all checkpoints in a folder, damaged ones included, in order.

    steps(pathlib.Path("runs/stcn/checkpoints"))        # [500, 1000, 1500]
    """
    if not folder.is_dir():
        return []
    names = [path.name for path in folder.iterdir() if path.is_dir()]
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def set_aside(checkpoints: ocp.CheckpointManager, damaged: list[int]) -> None:
    """Renames damaged checkpoints, so that their steps can be saved again.

        set_aside(checkpoints, [1500])      # it is now in the folder 'damaged-1500'

    Raises:
        InputError: they cannot be renamed.
        DiskFull: the disk is full.
    """
    folder = pathlib.Path(checkpoints.directory)
    with saving(folder):
        for step in damaged if processes.is_first() else ():
            target = folder / f"{ASIDE}{step}"
            shutil.rmtree(target, ignore_errors=True)
            (folder / str(step)).rename(target)
        if damaged:
            checkpoints.reload()


@contextlib.contextmanager
def saving(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Turns any error of Orbax while it writes below a folder into an InputError of one line.

        with saving(folder):
            checkpoints.wait_until_finished()

    Raises:
        InputError: the folder cannot be written.
        DiskFull: the disk is full.
    """
    try:
        with disk_full(folder):
            yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"checkpoints cannot be written to {folder} ({in_a_line(error)}): free some space or "
            "name another --output; the same command goes on from the last checkpoint"
        ) from error


def in_a_line(error: Exception) -> str:
    """Shortens the message of a library to one line.

    in_a_line(ValueError("no\\nsuch array"))     # 'no such array'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
