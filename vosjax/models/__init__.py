"""Network families, one folder each; a family is found by its folder's name."""

import importlib
import inspect
import pkgutil

from vosjax.types import Model


def families() -> list[str]:
    """The names that `build` takes."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def build(family: str, **settings) -> Model:
    """Builds a family's model.

    Args:
      family: name of a folder of `vosjax/models`, e.g. 'aot'.
      **settings: the keyword arguments of that folder's `model.build`.

    Raises:
      ValueError: there is no such family, or it has no such setting.
    """
    if family not in families():
        raise ValueError(f"unknown family {family!r}; there are: {', '.join(families())}")
    make = importlib.import_module(f"{__name__}.{family}.model").build
    known = inspect.signature(make).parameters
    for name in settings:
        if name not in known:
            raise ValueError(
                f"family {family!r} has no setting {name!r}; it has: {', '.join(known)}"
            )
    return make(**settings)
