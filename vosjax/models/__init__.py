"""Network families, one folder each; a family is found by its folder's name."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from vosjax.errors import InputError
from vosjax.schema import NEVER, Rule, checked_call, settings_of
from vosjax.types import Model

_SIDE = Rule("pixels", least=1, most=NEVER)
# The ranges of families' settings, which are checked as they may come from anybody's card.
RANGES = {
    "layers": Rule("number of blocks; published networks have 1 to 3", least=1, most=64),
    "top_k": Rule("number of memory positions that a query reads", least=1, most=NEVER),
    "kernel": Rule("standard deviation in cells", above=0),
    "max_long_side": _SIDE,
    "max_short_side": _SIDE,
    "drop_path": Rule("a probability", least=0, most=1),
    "dropout": Rule("a probability", least=0, most=1),
}


def families() -> list[str]:
    """Returns the names of all families, which `build` takes."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def build(family: str, **settings: Any) -> Model:
    """Builds the model of a family.

        build("aot", encoder="resnet:50", layers=3)

    Args:
        family: name of a folder of `vosjax/models`, e.g. 'aot'.
        **settings: the keyword arguments of that folder's `model.build`.

    Raises:
        InputError: there is no such family or setting, or a setting has a wrong type or value.
    """
    return checked_call(_builder(family), settings, f"family {family!r}", rules=RANGES)


def settings(family: str) -> dict[str, Any]:
    """Returns {name: type} for the settings of a family, which `build` takes.

    Raises:
        InputError: there is no such family.
    """
    return settings_of(_builder(family))


def _builder(family: str) -> Callable[..., Model]:
    if family not in families():
        raise InputError(f"unknown family {family!r}; there are: {', '.join(families())}")
    return importlib.import_module(f"{__name__}.{family}.model").build
