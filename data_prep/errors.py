"""What goes wrong with a downloaded dataset, said in one line."""

from vosjax.errors import InputError


class SourceError(InputError):
    """The source folder cannot be used: what was found, what was expected, what to do about it."""
