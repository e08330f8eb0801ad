"""The fields of a config in words, for the help of a mode."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from vosjax.config.root import Config
from vosjax.schema import NEVER
from vosjax.schema.kinds import class_of, hints, named


def lines(names: Sequence[str]) -> list[str]:
    """A line for each of some fields of a `Config`, and for those within them.

    Args:
      names: of fields: 'mem_every', 'train', 'train.seed'.
    """
    told = [line for name in names for line in _described(Config, name.split("."), ())]
    return ["", "fields of the config (--config.FIELD=VALUE):", *told] if told else []


def _described(kind: type, path: Sequence[str], above: tuple) -> Iterator[str]:
    head, *rest = path
    field = next(field for field in dataclasses.fields(kind) if field.name == head)
    hint = hints(kind)[head]
    inner = class_of(hint)
    if inner is None or not dataclasses.is_dataclass(inner):
        yield _line(field, hint, (*above, head))
        return
    for name in rest[:1] or [field.name for field in dataclasses.fields(inner)]:
        yield from _described(inner, [name, *rest[1:]], (*above, head))


def _line(field: dataclasses.Field, hint: Any, path: tuple) -> str:
    doc = field.metadata.get("doc", "")
    what = f"{named(hint)}, {_default(field)}"
    return f"  {'.'.join(path):<28}{doc}{' ' if doc else ''}({what})"


def _default(field: dataclasses.Field) -> str:
    if field.default is dataclasses.MISSING:
        value = {} if field.default_factory is not dataclasses.MISSING else "required"
    else:
        value = field.default
    return "never" if value == NEVER else f"{value!r}"
