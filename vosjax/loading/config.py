"""Settings of a network and its weights, and of several networks as one."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from vosjax.compose.config import ViewsConfig
from vosjax.layers.dtypes import DTYPES
from vosjax.schema import Checked, setting

FUSIONS = ("mean", "max", "keypoints")
KEYPOINTS = ("sift", "orb")
MODEL_NAMES = {"short_side": "max_short_side"}  # {name in version 0.1: current name}


def modern_model(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a model under their current names.

    modern_model({"short_side": 480})      # {"max_short_side": 480}
    """
    return {MODEL_NAMES.get(name, name): value for name, value in settings.items()}


@dataclasses.dataclass(frozen=True)
class WeightsConfig(Checked):
    """One network with its weights."""

    family: str = setting("", "a folder of vosjax/models; '': the family of the weights")
    model: dict[str, Any] = setting({}, "settings of the family's `build`")
    weights: str = setting("", "a folder of weights, or the name of embedded ones")
    top_k: int | None = setting(
        None, "number of memory positions that a query reads; None: the model's default", least=1
    )
    dtype: str = setting("float32", "dtype in which the network computes", choices=DTYPES)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "model", modern_model(self.model))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the family's `build`: `model`, and `top_k` unless it is None."""
        return self.model if self.top_k is None else {**self.model, "top_k": self.top_k}


@dataclasses.dataclass(frozen=True)
class MemberConfig(WeightsConfig):
    """One network of an ensemble."""

    dtype: str | None = setting(  # type: ignore[assignment]  # None is the ensemble's
        None, "dtype in which the member computes; None: the ensemble's", choices=DTYPES
    )
    tta: ViewsConfig | None = setting(None, "test-time augmentation; None: the ensemble's")


@dataclasses.dataclass(frozen=True)
class NetworkConfig(WeightsConfig):
    """A network, or several as one, and which frames it remembers."""

    mem_every: int | None = setting(
        None,
        "frames from one remembered frame to the next; None: the model's default",
        least=1,
        was="gap",
        was_never=9999,
    )
    max_mem_frames: int | None = setting(
        None, "most remembered frames; None: the model's default", least=1, was="limit"
    )
    max_short_side: int | None = setting(
        None,
        "largest short side, in pixels, that the network sees; None: the network's own rule",
        least=1,
        was="size",
    )
    tta: ViewsConfig = setting(ViewsConfig(), "test-time augmentation")
    members: dict[str, MemberConfig] = setting({}, "the networks of an ensemble, by name")
    only: str = setting("", "name of the one member to run; '': all members")
    feedback: str = setting(
        "own",
        "which masks the members remember: their own or the fused ones",
        choices=("own", "fused"),
    )
    fuse: str = setting("mean", "how several members, or several runs, are fused", choices=FUSIONS)
    keypoints: str = setting("sift", "kind of key points, for fuse=keypoints", choices=KEYPOINTS)
