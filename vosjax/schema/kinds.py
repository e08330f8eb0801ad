"""What schemas are written in: the types that fields have, in words and as classes; errors."""

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
    """A field that holds what it may not hold.

    path     of the field, outermost first: names, and numbers of a tuple's items
    problem  what is wrong and what is expected
    """

    def __init__(self, path: tuple, problem: str) -> None:
        super().__init__(f"{dotted(path)} {problem}" if path else problem)
        self.path, self.problem = path, problem

    def inside(self, *path: str | int) -> "FieldError":
        """The same error of a field that lies in the field at `path`."""
        return type(self)((*path, *self.path), self.problem)


class UnknownField(FieldError):
    """A name that no field bears; `path` is that of the class that has no such field."""


class Rule(NamedTuple):
    """What is known of a field: `Annotated[float, Rule("a share", least=0, most=1)]`.

    doc        one line
    least      the smallest value that is allowed; of a tuple, that each item is allowed to have
    above      the value that has to be exceeded, likewise
    most       the largest value, likewise
    choices    all values, likewise
    pattern    the text is a regular expression
    filled     a tuple has at least one item
    was        the field's name in the version before, which `modern` still takes
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
Few = Annotated[int, Rule("", least=1, most=100)]  # parts of a network, each of which is compiled
Positive = Annotated[float, Rule("", above=0)]
Share = Annotated[float, Rule("", least=0, most=1)]


class ChangesOf(NamedTuple):
    """Marks a dict, by `Annotated[dict, ChangesOf(...)]`, as some fields of another class.

    kind  gives the class when it is called, so that a class may hold changes of itself
    also  {name: type} of what such a dict may hold beside them
    """

    kind: Callable[[], type]
    also: tuple[tuple[str, type], ...] = ()


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """{field: type} of a dataclass or NamedTuple."""
    if dataclasses.is_dataclass(kind):
        known = typing.get_type_hints(kind, include_extras=True)
        return {field.name: known[field.name] for field in dataclasses.fields(kind)}
    return typing.get_type_hints(kind, include_extras=True)


def near(word: str, known: Iterable[str]) -> str:
    """' (did you mean ...?)' with the names that resemble a word, '' where none does."""
    close = difflib.get_close_matches(word, list(known), 3, cutoff=0.75)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def dotted(path: tuple) -> str:
    """('a', 'b', 0, 'c') as 'a.b[0].c'."""
    return "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in path
    ).removeprefix(".")


def named(hint: Any) -> str:
    """What a field of a type expects, in words."""
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
    """The dataclass or NamedTuple that a type is, or is beside None; else None."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    for member in typing.get_args(hint) if union else (hint,):
        if isinstance(member, type) and (
            dataclasses.is_dataclass(member) or hasattr(member, "_fields")
        ):
            return member
    return None
