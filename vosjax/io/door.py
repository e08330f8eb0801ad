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
LOGGERS = ("absl", "orbax", "tensorflow")  # of libraries, which tell of all that they do
EXTRAS = {  # what a plain installation lacks, and the extra that brings it
    "grain": "train",
    "optax": "train",
    "orbax": "train",
    "tensorboardX": "train",
    "tensorflow_datasets": "data",
    "array_record": "data",
}
MOST = 10**6  # of what `count` takes


class Answered(Exception):
    """All that was asked for has been printed: the help."""


class Parser(argparse.ArgumentParser):
    """A parser that raises an InputError in place of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        """Raises InputError."""
        raise InputError(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raises Answered."""
        raise Answered


def guarded(
    program: str,
    words: Sequence[str],
    work: Callable[[list[str]], int | None],
    *,
    stopped: str = "stopped",
) -> int:
    """Carries out a command; whatever goes wrong becomes one line on stderr and an exit code.

        guarded("vosjax", ["summary"], lambda words: 0)

    Args:
      program: its name, for the line.
      words: of the command; `--traceback` among them shows where an error came from.
      work: gets the other words and returns the exit code; None is 0.
      stopped: the line after Ctrl-C.
    """
    try:
        with _notes_alone(program):
            return work([word for word in words if word != "--traceback"]) or 0
    except Answered:
        return 0
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if "--traceback" in words:
            traceback.print_exc()
        code, line = _said(error, stopped)
        say(f"{program}: {line}", file=sys.stderr)
        return code


def count(text: str) -> int:
    """A whole number from 1 on, for `add_argument(type=count)`.

    count("3")      # 3; count("0") raises argparse.ArgumentTypeError
    """
    if not (text.isdecimal() and len(text) < 8 and 1 <= int(text) <= MOST):
        raise argparse.ArgumentTypeError(
            f"is {text[:20]!r}; a whole number from 1 to {MOST} is expected"
        )
    return int(text)


def counts(text: str) -> list[int]:
    """Several of them with commas between them: counts("1,2,4") is [1, 2, 4]."""
    return [count(part.strip()) for part in text.split(",")]


def size(text: str) -> tuple[int, int]:
    """(height, width) of a frame: size("480x854") is (480, 854)."""
    height, _, width = text.partition("x")
    try:
        return count(height), count(width)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"is {text[:20]!r}; height x width is expected, as in 480x854"
        ) from error


@contextlib.contextmanager
def _notes_alone(program: str) -> Iterator[None]:
    """Prints every `Note` as a line on stderr, and nothing of what libraries warn of or log."""

    def show(message: Warning | str, *about: Any, **more: Any) -> None:
        say(f"{program}: note: {message}", file=sys.stderr)

    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read by XLA too
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        if not sys.warnoptions:  # `python -W error` wants to see them
            warnings.simplefilter("ignore")
        warnings.filterwarnings("default", category=Note)
        warnings.showwarning = show
        yield


def _said(error: BaseException, stopped: str) -> tuple[int, str]:
    """The exit code of an error, and its line."""
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
    """Whether JAX, where it is in use, finds a device: what its settings name may not be there."""
    try:
        return "jax" not in sys.modules or bool(sys.modules["jax"].local_devices())
    except RuntimeError:
        return False


def _missing(error: ModuleNotFoundError) -> str:
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return f"{error}: install it, or install vosjax anew"
    return f"{error.name} is not installed: pip install 'vosjax[{extra}]'"
