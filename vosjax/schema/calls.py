"""Calls with settings of anybody's: a function's keyword arguments, checked by its annotations."""

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from vosjax.errors import InputError
from vosjax.schema.fields import typed
from vosjax.schema.kinds import FieldError, Rule


def settings_of(make: Callable[..., Any]) -> dict[str, Any]:
    """Returns {name: type} of the parameters of a function, with the rules of their annotations.

    settings_of(lambda side=3: side)      # {"side": Any}
    """
    kinds = typing.get_type_hints(make, include_extras=True)
    return {name: kinds.get(name, Any) for name in inspect.signature(make).parameters}


def checked_call(
    make: Callable[..., Any],
    settings: Mapping[str, Any],
    whose: str,
    *,
    rules: Mapping[str, Rule] | None = None,
) -> Any:
    """Calls a function with settings whose names, types and ranges are checked.

        checked_call(build, {"layers": 3}, "family 'aot'")

    Args:
        make: a function of keyword arguments with annotations (`Annotated` with a `Rule` of theirs
            or without one).
        settings: its arguments, as they come from a config or from anybody's card.
        whose: whose settings these are, for the error's text.
        rules: {name: rule} of arguments whose annotations name none.

    Returns:
        What the function returns.

    Raises:
        InputError: the function has no such argument, or one has a wrong type or value.
    """
    known, values = settings_of(make), dict(settings)
    for name, value in values.items():
        if name not in known:
            raise InputError(f"{whose} has no setting {name!r}; it has: {', '.join(known)}")
        try:
            values[name] = typed(value, Annotated[known[name], (rules or {}).get(name, Rule(""))])
        except FieldError as error:
            raise InputError(f"the setting {error.inside(name)} ({whose})") from None
    return make(**values)
