"""What goes wrong, said in one line: every error that is meant for the user is one of these."""

from typing import Any

SHOWN = 80  # characters of a value in a message


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was given, what was expected, what to do about it. The command
    line prints it and ends with exit code 2; in Python it is a ValueError like any other.
    """


class Damaged(InputError):
    """A file's content cannot be decoded, whatever its name promises."""


class DiskFull(InputError):
    """A file could not be written because the disk (or the user's quota) is full."""


class NotFinite(InputError, ArithmeticError):
    """A training's loss or gradient stopped being a number; the command line ends with code 3."""


class Note(UserWarning):
    """Something worth knowing, which is no error; the command line prints it as one line."""


class RenamedNote(Note, FutureWarning):
    """Something was called by a name of an earlier version."""


def shown(value: Any) -> str:
    """A value as messages show it: its `repr`, of long ones the beginning.

    shown("9" * 5000)      "'99999999999999999999..."
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a whole number of thousands of digits; a circle
        text = f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
