"""The parts of which schemas are made: rules of fields, their types in words, and errors."""

import dataclasses
import difflib
import functools
import types
import typing
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple

from vosjax.errors import InputError

TYPES = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}


class FieldError(InputError):
    """A field has a value that it must not have.

    path     path of the field, outermost first: names, and indices of a tuple's items
    problem  what is wrong and what is expected
    """

    def __init__(self, path: tuple, problem: str) -> None:
        super().__init__(f"{dotted(path)} {problem}" if path else problem)
        self.path, self.problem = path, problem

    def inside(self, *path: str | int) -> "FieldError":
        """Returns the same error for a field inside the field at `path`."""
        return type(self)((*path, *self.path), self.problem)


class UnknownField(FieldError):
    """No field has this name; `path` is that of the class without such a field."""


class Rule(NamedTuple):
    """What is known of a field, for example `Annotated[float, Rule("a share", least=0, most=1)]`.

    doc        what it means, in one line
    least      the smallest allowed value; for a tuple, this and the next three apply to each item
    above      the value that has to be exceeded
    most       the largest allowed value
    choices    all allowed values
    pattern    whether the text is a regular expression
    filled     whether a tuple needs at least one item
    was        the field's name in the version before, which `modern` still accepts
    was_never  the value from which on that version meant `NEVER`
    """

    doc: str
    least: float | None = None
    above: float | None = None
    most: float | None = None
    choices: tuple | None = None
    pattern: bool = False
    filled: bool = False
    was: str | None = None
    was_never: int | None = None


Count = Annotated[int, Rule("", least=1)]
Few = Annotated[int, Rule("", least=1, most=100)]  # parts of a network, each compiled by itself
Positive = Annotated[float, Rule("", above=0)]
Share = Annotated[float, Rule("", least=0, most=1)]


class ChangesOf(NamedTuple):
    """Marks a dict, by `Annotated[dict, ChangesOf(...)]`, as some fields of another class.

    kind  is called to get the class, so that a class can hold changes of itself
    also  {name: type} of what such a dict may contain besides
    """

    kind: Callable[[], type]
    also: tuple[tuple[str, type], ...] = ()


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """Returns {field: type} of a dataclass or NamedTuple.

    hints(Rule)["doc"]      # str
    """
    if dataclasses.is_dataclass(kind):
        known = typing.get_type_hints(kind, include_extras=True)
        return {field.name: known[field.name] for field in dataclasses.fields(kind)}
    return typing.get_type_hints(kind, include_extras=True)


def near(word: str, known: Iterable[str]) -> str:
    """Returns ' (did you mean ...?)' with the known names that resemble a word, or ''.

    near("repeat", ["repeats"])     # " (did you mean 'repeats'?)"
    """
    close = difflib.get_close_matches(word, list(known), 3, cutoff=0.75)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def dotted(path: tuple) -> str:
    """Writes a path of names and indices as text.

    dotted(("a", "b", 0, "c"))      # 'a.b[0].c'
    """
    return "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in path
    ).removeprefix(".")


def named(hint: Any) -> str:
    """Returns, in words, what a field of a type expects.

    named(int | None)     # 'a whole number or None'
    """
    if typing.get_origin(hint) is typing.Annotated:
        return named(typing.get_args(hint)[0])
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        words = " or ".join(named(member) for member in members)
        return words if type(None) not in typing.get_args(hint) else f"{words} or None"
    if typing.get_origin(hint) is tuple:
        items = [member for member in members if member is not Ellipsis]
        return f"a tuple of {len(items)}" if Ellipsis not in members else "a tuple"
    if class_of(hint) or dict in (hint, typing.get_origin(hint)):
        return "a dict"
    return TYPES.get(hint, str(hint))


def class_of(hint: Any) -> type | None:
    """Returns the dataclass or NamedTuple that a type is, or is apart from None; else None.

    class_of(Rule | None)     # Rule
    """
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    for member in typing.get_args(hint) if union else (hint,):
        if isinstance(member, type) and (
            dataclasses.is_dataclass(member) or hasattr(member, "_fields")
        ):
            return member
    return None
