"""Networks of every kind by their families: those that segment, refine, mark, or follow a box."""

from collections.abc import Callable
from typing import Any

from vosjax import models
from vosjax.boxes import dimp
from vosjax.interactive import network as interactive
from vosjax.refine.boundary import network as boundary
from vosjax.schema import checked_call, settings_of

BESIDES: dict[str, Callable[..., Any]] = {  # families that are no folders of `models`
    boundary.FAMILY: boundary.refine_network,
    dimp.FAMILY: dimp.build,
    interactive.FAMILY: interactive.interactive_network,
}


def build(family: str, **settings: Any) -> Any:
    """Builds a network of any family.

        build("bpr", patch=64).checkpoint_names

    Args:
        family: a folder of `vosjax/models`, 'bpr', 'dimp' or 'interactive'.
        **settings: the keyword arguments of the family's function.

    Returns:
        A `types.Model`, a `RefineNetwork`, a `DimpNetwork` or an `InteractiveNetwork`. All have
        `init_params` and `checkpoint_names`, which converting asks of a network; all but the
        tracker have `param_group` and `pretrained_encoders` for training as well.

    Raises:
        InputError: there is no such family or setting, or a setting has a wrong type or value.
    """
    if family in BESIDES:
        return checked_call(BESIDES[family], settings, f"family {family!r}")
    return models.build(family, **settings)


def settings(family: str) -> dict[str, Any]:
    """Returns {name: type} of the settings of a family, which `build` takes.

    settings("bpr")["patch"]

    Raises:
        InputError: there is no such family.
    """
    return settings_of(BESIDES[family]) if family in BESIDES else models.settings(family)
