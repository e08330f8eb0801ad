"""The folder in which commands run, for all tests of this folder."""

from support.command import workdir  # noqa: F401
