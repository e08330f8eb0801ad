"""Turns a config file and the overrides of a command into one checked `Config`."""

import warnings
from collections.abc import Iterable
from typing import Any

from vosjax.config import files
from vosjax.config.overrides import laid
from vosjax.config.root import Config
from vosjax.errors import InputError, RenamedNote
from vosjax.schema import FieldError, UnknownField, modern, parse


def opened(asked: str, overrides: Iterable[str] = ()) -> Config:
    """Reads a config file, applies overrides, and checks the result.

        config = opened("aot:r50", ["mem_every=3", "model.top_k=32"])

    Args:
        asked: a file or a name, as for `files.named`.
        overrides: 'FIELD=VALUE' texts; fields within fields are separated by dots: 'train.lr=1e-4',
            'data.sets[0].weight=2'.

    Raises:
        InputError: there is no such file or field, or a field cannot hold the given value.
    """
    return parsed(files.named(asked), overrides, name=asked)


def parsed(config: Any, overrides: Iterable[str] = (), *, name: str = "") -> Config:
    """Applies overrides to what a config file returns, and checks the result.

        config = parsed(files.named("aot:r50"), ["mem_every=3"], name="aot:r50")

    Args:
        config: an `ml_collections.ConfigDict`, or another mapping.
        overrides: as for `opened`.
        name: the file's name, for messages.

    Raises:
        InputError: there is no such field, or a field cannot hold the given value.
    """
    values = modern(files.as_values(config), Config, note=_renamed)
    words = [override.partition("=") for override in overrides]
    try:
        # Families first: they decide which settings of a model there are.
        for field, _, text in sorted(words, key=lambda word: not word[0].endswith("family")):
            values = laid(values, field, text, note=_renamed)
        return parse(Config, values)
    except FieldError as error:
        raise InputError(_said(error, name)) from error


def _said(error: FieldError, name: str) -> str:
    if isinstance(error, UnknownField) and not error.path:
        return f"the config {name} {error.problem}" if name else f"this config {error.problem}"
    return f"config.{error}"


def _renamed(old: str, new: str) -> None:
    warnings.warn(
        f"config.{old} is now called config.{new}; the old name is taken until version 0.3",
        RenamedNote,
        stacklevel=2,
    )
