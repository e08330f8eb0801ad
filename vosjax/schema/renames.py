"""Names that fields had in the version before, which are still accepted for one release."""

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any

from vosjax.schema.fields import NEVER
from vosjax.schema.kinds import ChangesOf, class_of, dotted, hints


def modern(
    values: Any, hint: Any, *, note: Callable[[str, str], Any], path: tuple[Any, ...] = ()
) -> Any:
    """Renames values for a class to the present names of its fields, at any depth.

        values = modern({"gap": 5}, Config, note=lambda old, new: print(old, "is now", new))

    Args:
        values: a mapping of fields; what does not fit is left unchanged, for `parse` to refuse.
        hint: the class, or a type made of classes.
        note: is called with the old and the new dotted name of every renamed field.
        path: path of the values.
    """
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated and isinstance(members[1], ChangesOf):
        hint = members[1].kind()
    kind = class_of(hint)
    if kind and isinstance(values, Mapping):
        return _modern_fields(values, kind, note, path)
    if origin is tuple and members and isinstance(values, tuple | list):
        return [
            modern(item, members[0], note=note, path=(*path, i)) for i, item in enumerate(values)
        ]
    if origin is dict and isinstance(values, Mapping):
        return {
            key: modern(item, members[1], note=note, path=(*path, key))
            for key, item in values.items()
        }
    return values


def before(kind: type) -> dict[str, tuple[str, int | None]]:
    """Returns {old name: (name, the value from which on it meant never)} of a class's fields.

    before(NetworkConfig)["gap"]     # ('mem_every', 9999)
    """
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    rules = {field.name: field.metadata for field in fields}
    return {
        rule["was"]: (name, rule["was_never"]) for name, rule in rules.items() if rule.get("was")
    }


def _modern_fields(
    values: Mapping[str, Any], kind: type, note: Callable[[str, str], Any], path: tuple[Any, ...]
) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for old, value in values.items():
        if old in hints(kind) or old not in before(kind):
            inner = modern(value, hints(kind).get(old, Any), note=note, path=(*path, old))
            renamed.setdefault(old, inner)
            continue
        name, never = before(kind)[old]
        note(dotted((*path, old)), dotted((*path, name)))
        late = isinstance(value, int) and never is not None and value >= never
        renamed[name] = NEVER if late else value
    return renamed
