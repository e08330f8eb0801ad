"""What goes wrong with a user's files, said in one line."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was given, what was expected, what to do about it.
    """


class DiskFull(InputError):
    """A file could not be written because the disk (or the user's quota) is full."""
