"""The folder in which commands run, for tests of this folder that need a network."""

from support.command import workdir  # noqa: F401
