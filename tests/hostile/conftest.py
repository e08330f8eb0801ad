"""The place in which commands run, for the tests of this folder that need a network."""

from support.command import place  # noqa: F401
