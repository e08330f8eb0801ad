"""What goes wrong with a downloaded dataset, said in one line."""


class SourceError(ValueError):
    """The source folder cannot be used: what was found, what was expected, what to do about it."""
