"""Overrides from the command line: a field's dotted name and a text, which its type parses."""

import ast
import re
import types
import typing
from collections.abc import Callable
from typing import Any

from vosjax.errors import InputError, shown
from vosjax.loading.config import MODEL_NAMES
from vosjax.schema import NEVER, ChangesOf, FieldError, UnknownField
from vosjax.schema.kinds import class_of, dotted, hints, named, near
from vosjax.schema.renames import before

TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")


def laid(values: dict, field: str, text: str, *, note: Callable[[str, str], Any]) -> dict:
    """Returns a config's values with one field set from text.

        values = laid(values, "train.lr", "1e-4", note=print)

    Args:
        values: the values, as `parse` takes them.
        field: the field's name: 'mem_every', 'train.log.every', 'members.aot.weights',
            'data.sets[0].weight'.
        text: the new value.
        note: called with the old and the new name if the field was renamed.

    Raises:
        FieldError: there is no such field, or the text is not a value of its type.
        InputError: the name is malformed, or belongs to a training and the config has none.
    """
    from vosjax.config.root import Config  # which `door` imports beside this file

    parts = re.findall(r"[^.\[\]]+|\[\d{1,9}\]", field)
    if "".join(parts) != field.replace(".", "") or not parts:
        raise InputError(
            f"--config.{shown(field)[1:-1]} names no field: --config.FIELD=VALUE is expected, as "
            "in --config.mem_every=3 or --config.data.sets[0].weight=2"
        )
    path = tuple(int(part[1:-1]) if part[0] == "[" else part for part in parts)
    return _laid(values, Config, path, text, note, ())


def _laid(value: Any, hint: Any, path: tuple, text: str, note: Callable, above: tuple) -> Any:
    if not path:
        try:
            return from_text(text, hint)
        except FieldError as error:
            raise error.inside(*above) from None
    head, *rest = path
    origin = typing.get_origin(hint)
    if class_of(hint) or origin is typing.Annotated and isinstance(hint.__metadata__[0], ChangesOf):
        return _in_class(value, hint, head, tuple(rest), text, note, above)
    if origin is tuple and isinstance(head, int) and head < len(value):
        inner = _laid(
            value[head], typing.get_args(hint)[0], tuple(rest), text, note, (*above, head)
        )
        return [*value[:head], inner, *value[head + 1 :]]
    if origin is dict and head in value:
        inner = typing.get_args(hint)[1]
        return {**value, head: _laid(value[head], inner, tuple(rest), text, note, (*above, head))}
    there = ", ".join(map(str, value if origin is dict else range(len(value or ()))))
    raise FieldError(above, f"has no {shown(head)}; there are: {there or 'none'}")


def _in_class(
    value: Any,
    hint: Any,
    head: str,
    rest: tuple[str, ...],
    text: str,
    note: Callable[[str, str], Any],
    above: tuple[str, ...],
) -> dict[str, Any]:
    marked = typing.get_origin(hint) is typing.Annotated
    kind: Any = typing.get_args(hint)[1].kind() if marked else class_of(hint)
    known = {**hints(kind), **(dict(typing.get_args(hint)[1].also) if marked else {})}
    name, never = before(kind).get(head, (head, None)) if head not in known else (head, None)
    if name != head:
        note(dotted((*above, head)), dotted((*above, name)))
    if name not in known:
        raise UnknownField(above, f"has no field {shown(head)}{near(str(head), known)}")
    if value is None and above in (("train",), ("data",)):
        raise InputError(
            f"config.{above[0]}.{head} was given, and this config has no training: take one of "
            "configs/train_*.py or configs/data_*.py"
        )
    value = dict(value or {})
    if name == "model" and rest:
        value[name] = _in_model(value, rest, text, (*above, name))
    else:
        value[name] = _laid(value.get(name), known[name], rest, text, note, (*above, name))
        if never is not None and isinstance(value[name], int) and value[name] >= never:
            value[name] = NEVER
    return value


def _in_model(value: Any, rest: tuple[str, ...], text: str, above: tuple[str, ...]) -> dict:
    """Returns the settings of a network, which are the arguments of its family's `build`."""
    from vosjax.loading import networks  # imports JAX, which no other field needs

    (name, *deeper), family = rest, value.get("family")
    hint: Any = Any  # without a family it is the weights' own, and `load` checks the setting
    if family:
        known = networks.settings(family)
        if name not in known:
            name = MODEL_NAMES.get(name, name)
        if name not in known or deeper:
            raise UnknownField(above, f"has no field {shown(name)}{near(str(name), known)}")
        hint = known[name]
    try:
        return {**(value.get("model") or {}), name: from_text(text, hint)}
    except FieldError as error:
        raise error.inside(*above, name) from None


def from_text(text: str, hint: Any) -> Any:
    """Parses text as a value of a type; whether the value is in range is checked by `parse`.

        from_text("480,854", tuple[int, ...])       # [480, 854]

    Args:
        text: the text.
        hint: the type of the field.

    Raises:
        FieldError: the text is not a value of this type.
    """
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return from_text(text, members[0])
    if origin in (typing.Union, types.UnionType):
        if type(None) in members and text.lower() == "none":
            return None
        kinds = [member for member in members if member is not type(None)]
        others = [kind for kind in kinds if kind is not str]
        if str in kinds and (not others or text[:1] not in ("(", "[")):
            return text
        try:
            return from_text(text, others[0])
        except FieldError:
            raise _unreadable(text, hint) from None
    if hint is str:
        return text
    if hint is bool:
        if text.lower() not in TRUE + FALSE:
            raise _unreadable(text, hint)
        return text.lower() in TRUE
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            raise _unreadable(text, hint) from None
    if origin is tuple and text[:1] not in ("(", "["):
        kind = members[0]
        return [from_text(word.strip(), kind) for word in text.split(",") if word.strip()]
    return _literal(text, hint)


def _literal(text: str, hint: Any) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # as its docs say
        if hint is Any:
            return text
        raise _unreadable(text, hint) from None


def _unreadable(text: str, hint: Any) -> FieldError:
    return FieldError((), f"is {shown(text)}; {named(hint)} is expected")
