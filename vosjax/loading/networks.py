"""Networks of every kind by their families: those that track, and those that refine."""

from typing import Any

from vosjax import models
from vosjax.refine.boundary import network as boundary
from vosjax.schema import checked_call, settings_of

BESIDES = {boundary.FAMILY: boundary.refine_network}  # families that are no folders of `models`


def build(family: str, **settings: Any) -> Any:
    """Builds a network of any family.

        build("bpr", patch=64).checkpoint_names

    Args:
        family: a folder of `vosjax/models`, or 'bpr'.
        **settings: the keyword arguments of the family's function.

    Returns:
        A `types.Model` or a `RefineNetwork`. Both have `init_params`, `checkpoint_names`,
        `param_group` and `pretrained_encoders`, all that converting and training ask of a network.

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
