"""Describes the fields of a config in words, for the help of a mode."""

import dataclasses
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from vosjax.config.root import Config
from vosjax.schema import NEVER, Rule
from vosjax.schema.kinds import class_of, hints, named

WIDTH = 30  # of the column of names


def lines(names: Sequence[str]) -> list[str]:
    """Returns one line for each of some fields of `Config`, and for the fields within them.

        for line in lines(["mem_every", "train"]):
            print(line)

    Args:
        names: names of fields: 'mem_every', 'train', 'train.seed'.
    """
    shown = [line for name in names for line in _described(Config, name.split("."), ())]
    return ["", "fields of the config (--config.FIELD=VALUE):", *shown] if shown else []


def _described(kind: type, path: Sequence[str], above: tuple) -> Iterator[str]:
    head, *rest = path
    hint = hints(kind)[head]
    inner = class_of(hint)
    if inner is None:
        yield _line(kind, head, hint, above)
        return
    for name in rest[:1] or hints(inner):
        yield from _described(inner, [name, *rest[1:]], (*above, head))


def _line(kind: type, name: str, hint: Any, above: tuple) -> str:
    doc, default = _known(kind, name, hint)
    shown = "never" if default == NEVER else repr(default)
    dotted = ".".join((*above, name))
    return f"  {dotted:<{WIDTH}}  {doc} ({named(hint)}; {shown})"


def _known(kind: type, name: str, hint: Any) -> tuple[str, Any]:
    """Returns the description and the default of a field of a dataclass or a NamedTuple."""
    if not dataclasses.is_dataclass(kind):
        rule = typing.get_args(hint)[1] if typing.get_origin(hint) is typing.Annotated else Rule("")
        defaults: Any = kind
        return rule.doc, defaults._field_defaults[name]
    field = next(field for field in dataclasses.fields(kind) if field.name == name)
    made = field.default_factory
    return field.metadata["doc"], field.default if made is dataclasses.MISSING else made()
