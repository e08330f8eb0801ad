"""A folder of checkpoints, one subfolder a step, as Orbax's manager keeps it."""

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

ASIDE = "damaged-"  # before the step, in the name of a damaged checkpoint that was set aside
LONGEST = 160  # characters of what a library says


def manager(folder: str | os.PathLike[str], *, keep: int | None = None) -> ocp.CheckpointManager:
    """A manager of the checkpoints in `folder`, one subfolder a step.

        with manager("runs/stcn/checkpoints") as checkpoints:
            state = restore(checkpoints, like, described(config))

    Args:
      folder: is made when missing.
      keep: the newest ones that stay; None: to read only, also while a run writes them.
    """
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax tells of every file and setting
    if not isinstance(sys.unraisablehook, _WithoutLateCallbacks):
        sys.unraisablehook = _WithoutLateCallbacks(sys.unraisablehook)
    if keep is None:
        options = ocp.CheckpointManagerOptions(read_only=True)
    else:
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True)
    return ocp.CheckpointManager(pathlib.Path(folder).absolute(), options=options)


class _WithoutLateCallbacks:
    """An unraisable hook that drops what TensorStore's threads still tell an event loop of Orbax.

    The loop is closed when one of many files cannot be read or written; that one was raised.
    """

    def __init__(self, hook: Callable[["sys.UnraisableHookArgs"], object]) -> None:
        self._hook = hook

    def __call__(self, unraisable: "sys.UnraisableHookArgs") -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            self._hook(unraisable)


@contextlib.contextmanager
def managed(folder: str | os.PathLike[str], *, keep: int) -> Iterator[ocp.CheckpointManager]:
    """`manager`, closed at the end; what goes wrong with the disk is one line.

        with managed("runs/stcn/checkpoints", keep=3) as checkpoints:
            save(checkpoints, state, described(config))

    Raises:
      InputError, DiskFull: the folder cannot be made or written.
    """
    with saving(folder):
        checkpoints = manager(folder, keep=keep)
    try:
        yield checkpoints
    except BaseException:
        with contextlib.suppress(Exception):  # the first error is the one to be told
            checkpoints.close()
        raise
    with saving(folder):
        checkpoints.close()


def steps(folder: pathlib.Path) -> list[int]:
    """The steps of the checkpoints in a folder, damaged ones as well, in order.

    steps(pathlib.Path("runs/stcn/checkpoints"))        # [500, 1000, 1500]
    """
    if not folder.is_dir():
        return []
    names = [path.name for path in folder.iterdir() if path.is_dir()]
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def set_aside(checkpoints: ocp.CheckpointManager, damaged: list[int]) -> None:
    """Renames damaged checkpoints, so that their steps are free again.

        set_aside(checkpoints, [1500])      # 'damaged-1500' now, if someone wants to look into it

    Raises:
      InputError, DiskFull: they cannot be renamed.
    """
    folder = pathlib.Path(checkpoints.directory)
    with saving(folder):
        for step in damaged:
            target = folder / f"{ASIDE}{step}"
            shutil.rmtree(target, ignore_errors=True)
            (folder / str(step)).rename(target)
        if damaged:
            checkpoints.reload()


@contextlib.contextmanager
def saving(folder: str | os.PathLike[str]) -> Iterator[None]:
    """One line for whatever Orbax raises while it writes below a folder.

        with saving(folder):
            checkpoints.wait_until_finished()

    Raises:
      InputError: it cannot be written.
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
    """What a library says, cut to a line.

    in_a_line(ValueError("no\\nsuch array"))     # 'no such array'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
