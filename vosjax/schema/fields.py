"""Fields with a range or choices, and classes of such fields: how they are parsed and changed."""

import dataclasses
import math
import numbers
import operator
import re
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from vosjax.errors import shown
from vosjax.schema.kinds import FieldError, Rule, UnknownField, class_of, hints, named, near

NEVER = 2**30  # an interval in frames that is longer than any video, and still an int32
LARGEST = 2**32 - 1  # the largest whole number that a rule can allow; without one it is NEVER


class Checked:
    """Base class of frozen dataclasses of `setting`s; checks and converts their values."""

    def __post_init__(self) -> None:
        kind: Any = type(self)  # a dataclass
        for field in dataclasses.fields(kind):
            value = _at(field.name, _checked, type(self), field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)


def setting(default: Any, doc: str, **rules: Any) -> Any:
    """Returns a dataclass field with a `Rule` as its metadata.

        lr: float = setting(4e-4, "the learning rate", least=0)

    Args:
        default: the default value; `dataclasses.MISSING` makes the field required.
        doc: what the field means, in one line.
        **rules: the other fields of a `Rule`.
    """
    rule = Rule(doc, **rules)._asdict()
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=rule)
    return dataclasses.field(default=default, metadata=rule)


def parse(kind: type, values: Mapping) -> Any:
    """Makes an instance of a `Checked` dataclass (or of a NamedTuple) from a mapping of its fields.

        config = parse(BenchConfig, {"repeats": 3})

    Raises:
        UnknownField: a name is not that of a field.
        FieldError: a value has another type or is out of range, or a field is missing.
    """
    for name in values:
        if name not in hints(kind):
            raise UnknownField((), f"has no field {shown(name)}{near(str(name), hints(kind))}")
    if not dataclasses.is_dataclass(kind):
        return kind(**{name: _at(name, typed, values[name], hints(kind)[name]) for name in values})
    for field in dataclasses.fields(kind):
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and field.name not in values:
            raise FieldError((field.name,), f"is missing: {field.metadata['doc']}")
    return kind(**{name: _at(name, _checked, kind, name, values[name]) for name in values})


def partial(kind: type, values: Mapping, also: Mapping | None = None) -> dict:
    """Parses some fields of a class and of nested dataclasses, as {name: value or dict}.

        changes = partial(TrainConfig, {"lr": 1e-4})

    The result is for `replaced`.

    Args:
        kind: the class.
        values: {name: value} of some of its fields.
        also: {name: type} of other names that are allowed.

    Raises:
        FieldError: as for `parse`.
    """
    parsed, also = {}, also or {}
    for name, value in values.items():
        if name in also:
            parsed[name] = _at(name, typed, value, also[name])
        elif name not in hints(kind):
            there = [*hints(kind), *also]
            raise UnknownField((), f"has no field {shown(name)}{near(str(name), there)}")
        elif isinstance(value, Mapping) and class_of(hints(kind)[name]):
            parsed[name] = _at(name, partial, class_of(hints(kind)[name]), value)
        else:
            parsed[name] = _at(name, _checked, kind, name, value)
    return parsed


def replaced(config: Any, changes: Mapping) -> Any:
    """Returns a dataclass (or NamedTuple) with the changes of `partial` applied, at any depth.

    config = replaced(config, {"repeats": 3})
    """
    values = {}
    for name, value in changes.items():
        present = getattr(config, name)
        nested = isinstance(value, Mapping) and class_of(type(present))
        values[name] = replaced(present, value) if nested else value
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return dataclasses.replace(config, **values)
    return config._replace(**values)


def plain(value: Any) -> Any:
    """Converts a configuration to what JSON can hold: dicts, lists, numbers, texts.

    plain(BenchConfig())["repeats"]     # 5
    """
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def _at(name: str | int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls function(*arguments), and turns its errors into those of the field `name`."""
    try:
        return function(*arguments)
    except FieldError as error:
        raise error.inside(name) from None


def _checked(kind: type, name: str, value: Any) -> Any:
    """Converts a value to the type of one field of a class, and checks its range."""
    value = typed(value, hints(kind)[name])
    if dataclasses.is_dataclass(kind):
        rules = {field.name: field.metadata for field in dataclasses.fields(kind)}
        _within(value, rules[name])
    return value


def typed(value: Any, hint: Any) -> Any:
    """Converts a value to a type: lists to tuples, mappings to classes.

        typed([1, 2], tuple[int, ...])      # (1, 2)

    Raises:
        FieldError: the value has another type.
    """
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is typing.Annotated and isinstance(members[1], Rule):
        value = typed(value, members[0])
        _within(value, members[1]._asdict())
        return value
    if origin is typing.Annotated:
        if not isinstance(value, Mapping):
            raise _wrong(value, dict)
        return partial(members[1].kind(), value, dict(members[1].also))
    if origin in (typing.Union, types.UnionType):
        return _any_of(value, hint, members)
    if origin is tuple or hint is tuple:
        if not isinstance(value, tuple | list):
            raise _wrong(value, hint)
        fixed = Ellipsis not in members and members
        if fixed and len(value) != len(members):
            raise _wrong(value, hint)
        kinds = members if fixed else [members[0] if members else Any] * len(value)
        return tuple(_at(i, typed, item, kinds[i]) for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _wrong(value, hint)
        return {str(key): _at(str(key), typed, item, members[1]) for key, item in value.items()}
    if class_of(hint):
        if isinstance(value, hint):
            return value
        if not isinstance(value, Mapping):
            raise _wrong(value, hint)
        return parse(hint, value)
    return _scalar(value, hint)


def _any_of(value: Any, hint: Any, members: tuple[Any, ...]) -> Any:
    if value is None and type(None) in members:
        return None
    inner = class_of(hint)
    if inner and isinstance(value, Mapping):
        return parse(inner, value)  # its errors say more than that no member of the union fits
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int in members:
        return _scalar(value, int)  # its error says more, too
    for member in members:
        ranged = typing.get_origin(member) is typing.Annotated
        if member is not type(None):
            try:
                fitting = typed(value, typing.get_args(member)[0] if ranged else member)
            except FieldError:
                continue
            return typed(fitting, member) if ranged else fitting  # checks the range of this member
    raise _wrong(value, hint)


def _scalar(value: Any, hint: Any) -> Any:
    if hint is float and isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise FieldError((), f"is {shown(value)}; a finite number is expected")
        return number
    if hint is int and isinstance(value, numbers.Integral) and not isinstance(value, bool):
        if abs(int(value)) > LARGEST:
            raise FieldError((), f"is {shown(value)}; a whole number up to {LARGEST} is expected")
        return int(value)
    if hint in (str, bool) and isinstance(value, hint):
        return value
    raise _wrong(value, hint)


def _wrong(value: Any, hint: Any) -> FieldError:
    return FieldError((), f"is {shown(value)}; {named(hint)} is expected")


def _within(value: Any, rule: Mapping) -> None:
    """Raises FieldError unless the value, or every item of a tuple, is in range."""
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        if rule.get("filled") and not value:
            raise FieldError((), f"is empty; at least one is expected{_told(rule)}")
        for index, item in enumerate(value):
            _at(index, _within, item, rule)
    elif isinstance(value, numbers.Real) and not isinstance(value, bool) or isinstance(value, str):
        problem = _problem(value, rule)
        if problem:
            raise FieldError((), f"is {shown(value)}; {problem}{_told(rule)}")


def _problem(value: Any, rule: Mapping[str, Any]) -> str | None:
    choices = rule.get("choices")
    if choices is not None:
        words = list(map(str, choices))
        there = (
            f"there are {', '.join(words)}{near(value, words) if isinstance(value, str) else ''}"
        )
        return None if value in choices else there
    if isinstance(value, str):
        return _pattern_problem(value) if rule.get("pattern") else None
    most = rule.get("most")
    if most is None and isinstance(value, numbers.Integral) and int(value) > NEVER:
        most = NEVER
    bounds = [
        ("at least", rule.get("least"), operator.ge),
        ("a number above", rule.get("above"), operator.gt),
        ("at most", most, operator.le),
    ]
    known = [(words, bound, fits) for words, bound, fits in bounds if bound is not None]
    if all(fits(value, bound) for _, bound, fits in known):
        return None
    return f"{' and '.join(f'{words} {bound}' for words, bound, _ in known)} is expected"


def _pattern_problem(value: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about "[[", which still means itself
            re.compile(value)
    except re.error as error:
        return f"a regular expression is expected, and this is none: {error}"
    except (RecursionError, OverflowError, MemoryError):
        return "a regular expression is expected, and this one is nested or repeated too much"
    return None


def _told(rule: Mapping[str, Any]) -> str:
    return f" ({rule['doc']})" if rule.get("doc") else ""
