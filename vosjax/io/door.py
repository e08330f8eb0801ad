"""The door of every command: whatever goes wrong behind it is one line on stderr and an exit code.

def main(argv: Sequence[str] | None = None) -> int:
    return guarded("vosjax", sys.argv[1:] if argv is None else argv, work)
"""

import argparse
import contextlib
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from vosjax.errors import InputError, Note, NotFinite
from vosjax.io.refusals import refusal
from vosjax.io.terminal import say

# Exit codes (docs/command.md); 1 is that of a dataset run of which some videos failed.
BAD_INPUT, NOT_FINITE, UNEXPECTED, STOPPED, UNREAD = 2, 3, 70, 130, 141
LOGGERS = ("absl", "orbax", "tensorflow")  # of libraries that log everything they do
EXTRAS = {  # packages that a plain installation lacks, and the extra that installs each
    "grain": "train",
    "optax": "train",
    "orbax": "train",
    "tensorboardX": "train",
    "tensorflow_datasets": "data",
    "array_record": "data",
    "fastapi": "web",
    "uvicorn": "web",
    "websockets": "web",
}
MOST = 10**6  # the largest number that `count` accepts


class Answered(Exception):
    """Everything that was asked for (the help) has been printed already."""


class Parser(argparse.ArgumentParser):
    """A parser that raises an InputError instead of printing its usage and exiting."""

    def error(self, message: str) -> NoReturn:
        """Raises InputError with the parser's message."""
        raise InputError(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raises Answered, as the help has been printed."""
        raise Answered


def guarded(
    program: str,
    words: Sequence[str],
    work: Callable[[list[str]], int | None],
    *,
    stopped: str = "stopped",
) -> int:
    """Runs a command and turns whatever goes wrong into one line on stderr and an exit code.

        guarded("vosjax", ["summary"], lambda words: 0)

    Args:
        program: name of the command, for the line.
        words: the words of the command; `--traceback` among them also prints the traceback.
        work: is called with the other words and returns the exit code; None counts as 0.
        stopped: the line that is printed after Ctrl-C.

    Returns:
        The exit code, one of the table in docs/command.md.
    """
    try:
        with _notes_alone(program):
            return work([word for word in words if word != "--traceback"]) or 0
    except Answered:
        return 0
    except BrokenPipeError:  # the reader of our output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if "--traceback" in words:
            traceback.print_exc()
        code, line = _said(error, stopped)
        say(f"{program}: {line}", file=sys.stderr)
        return code


def count(text: str) -> int:
    """Parses a whole number from 1 to a million, for `add_argument(type=count)`.

        count("3")      # 3

    Raises:
        argparse.ArgumentTypeError: the text is anything else.
    """
    if not (text.isdecimal() and len(text) < 8 and 1 <= int(text) <= MOST):
        raise argparse.ArgumentTypeError(
            f"is {text[:20]!r}; a whole number from 1 to {MOST} is expected"
        )
    return int(text)


def counts(text: str) -> list[int]:
    """Parses several whole numbers with commas between them.

        counts("1,2,4")     # [1, 2, 4]

    Raises:
        argparse.ArgumentTypeError: as for `count`.
    """
    return [count(part.strip()) for part in text.split(",")]


def size(text: str) -> tuple[int, int]:
    """Parses the size of a frame as (height, width).

        size("480x854")     # (480, 854)

    Raises:
        argparse.ArgumentTypeError: the text is anything else.
    """
    height, _, width = text.partition("x")
    try:
        return count(height), count(width)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"is {text[:20]!r}; height x width is expected, as in 480x854"
        ) from error


@contextlib.contextmanager
def _notes_alone(program: str) -> Iterator[None]:
    """Prints every `Note` as a line on stderr, and silences what libraries warn of or log."""

    def show(message: Warning | str, *about: Any, **more: Any) -> None:
        say(f"{program}: note: {message}", file=sys.stderr)

    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read by XLA too
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        if not sys.warnoptions:  # with `python -W error` the user wants to see them
            warnings.simplefilter("ignore")
        warnings.filterwarnings("default", category=Note)
        warnings.showwarning = show
        yield


def _said(error: BaseException, stopped: str) -> tuple[int, str]:
    """Returns the exit code of an error, and its line."""
    if isinstance(error, KeyboardInterrupt):
        return STOPPED, stopped
    if isinstance(error, InputError):
        return NOT_FINITE if isinstance(error, NotFinite) else BAD_INPUT, str(error)
    if isinstance(error, ModuleNotFoundError):
        return BAD_INPUT, _missing(error)
    if isinstance(error, OSError) and error.filename is not None:
        refused = refusal(error, error.filename, verb="read or written")
        if refused is not None:
            return BAD_INPUT, str(refused)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):  # NumPy's, XLA's
        return BAD_INPUT, (
            f"there is not enough memory ({error}): take a smaller max_short_side, fewer views, "
            "or fewer clips or videos at a time"
        )
    if isinstance(error, RuntimeError) and not _has_device():
        return BAD_INPUT, (
            f"JAX finds no device to compute on ({error}): JAX_PLATFORMS is "
            f"{os.environ.get('JAX_PLATFORMS', 'not set')}, cpu is always there"
        )
    return UNEXPECTED, (
        f"unexpected error: {type(error).__name__}: {error} "
        "(please report it, with what --traceback shows)"
    )


def _has_device() -> bool:
    """Returns whether JAX, where it is in use, finds one of the devices that its settings name."""
    try:
        return "jax" not in sys.modules or bool(sys.modules["jax"].local_devices())
    except RuntimeError:
        return False


def _missing(error: ModuleNotFoundError) -> str:
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return f"{error}: install it, or install vosjax anew"
    return f"{error.name} is not installed: pip install 'vosjax[{extra}]'"
