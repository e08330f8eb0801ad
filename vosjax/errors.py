"""The errors meant for the user, each of which says in one line what went wrong."""

from typing import Any

SHOWN = 80  # most characters of a value in a message


class InputError(ValueError):
    """Something that the user gave cannot be used.

    The message is one line: what was given, what was expected, and what to do about it. The command
    line prints it and ends with exit code 2; in Python it is a ValueError like any other.
    """


class Damaged(InputError):
    """A file's content cannot be decoded, whatever its name promises."""


class DiskFull(InputError):
    """A file could not be written because the disk (or the user's quota) is full."""


class NotFinite(InputError, ArithmeticError):
    """The loss or gradient of a training is no longer finite; the command line ends with code 3."""


class Note(UserWarning):
    """Something worth knowing that is not an error; the command line prints it as one line."""


class RenamedNote(Note, FutureWarning):
    """Something was called by a name of an earlier version."""


def shown(value: Any) -> str:
    """Returns a value as messages show it: its `repr`, or the beginning of a long one.

    shown("dog.png")      # "'dog.png'"
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits; a list that holds itself
        text = f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
