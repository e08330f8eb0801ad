"""Network families, one folder each; a family is found by its folder's name."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable
from typing import Any

from vosjax.errors import InputError
from vosjax.schema import FieldError, typed
from vosjax.types import Model


def families() -> list[str]:
    """The names that `build` takes."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def build(family: str, **settings) -> Model:
    """Builds a family's model.

        build("aot", encoder="resnet:50", layers=3)

    Args:
      family: name of a folder of `vosjax/models`, e.g. 'aot'.
      **settings: the keyword arguments of that folder's `model.build`.

    Raises:
      InputError: there is no such family, or it has no such setting or none of that value.
    """
    make, known = _builder(family), inspect.signature(_builder(family)).parameters
    kinds = typing.get_type_hints(make, include_extras=True)
    for name, value in settings.items():
        if name not in known:
            raise InputError(
                f"family {family!r} has no setting {name!r}; it has: {', '.join(known)}"
            )
        try:
            settings[name] = typed(value, kinds.get(name, Any))
        except FieldError as error:
            raise InputError(f"the setting {error.inside(name)} (family {family!r})") from None
    return make(**settings)


def settings(family: str) -> dict[str, Any]:
    """{name: type} of the settings that `build` takes.

    Raises:
      InputError: there is no such family.
    """
    make = _builder(family)
    kinds = typing.get_type_hints(make, include_extras=True)
    return {name: kinds.get(name, Any) for name in inspect.signature(make).parameters}


def _builder(family: str) -> Callable[..., Model]:
    if family not in families():
        raise InputError(f"unknown family {family!r}; there are: {', '.join(families())}")
    return importlib.import_module(f"{__name__}.{family}.model").build
