"""What can be set of a network and its weights, and of several as one."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from vosjax.compose.config import ViewsConfig
from vosjax.schema import Checked, setting

DTYPES = ("float32", "bfloat16")
FUSIONS = ("mean", "max", "keypoints")
KEYPOINTS = ("sift", "orb")
MODEL_NAMES = {"short_side": "max_short_side"}  # settings of a model by their names of version 0.1


def modern_model(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a model by the names that they bear today.

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
        None, "memory places that a query reads; None: as the model says", least=1
    )
    dtype: str = setting("float32", "what the network computes in", choices=DTYPES)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "model", modern_model(self.model))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the family's `build`: `model`, and `top_k` where it is given."""
        return self.model if self.top_k is None else {**self.model, "top_k": self.top_k}


@dataclasses.dataclass(frozen=True)
class MemberConfig(WeightsConfig):
    """One network of an ensemble."""

    dtype: str | None = setting(  # type: ignore[assignment]  # a member may leave it open
        None, "what the member computes in; None: as the ensemble", choices=DTYPES
    )
    tta: ViewsConfig | None = setting(None, "its views; None: those of the ensemble")


@dataclasses.dataclass(frozen=True)
class NetworkConfig(WeightsConfig):
    """A network, or several as one, and when it remembers frames."""

    mem_every: int | None = setting(
        None,
        "frames from one remembered frame to the next; None: as the model says",
        least=1,
        was="gap",
        was_never=9999,
    )
    max_mem_frames: int | None = setting(
        None, "most remembered frames; None: as the model says", least=1, was="limit"
    )
    max_short_side: int | None = setting(
        None,
        "most pixels of the short side that the network sees; None: its own rule",
        least=1,
        was="size",
    )
    tta: ViewsConfig = setting(ViewsConfig(), "test-time augmentation")
    members: dict[str, MemberConfig] = setting({}, "the networks of an ensemble, by name")
    only: str = setting("", "one of the members, to be run alone")
    feedback: str = setting(
        "own", "what members remember: their own masks or the fused", choices=("own", "fused")
    )
    fuse: str = setting(
        "mean", "how members and runs are fused; of one there is nothing to fuse", choices=FUSIONS
    )
    keypoints: str = setting("sift", "key points that vote, with fuse=keypoints", choices=KEYPOINTS)
