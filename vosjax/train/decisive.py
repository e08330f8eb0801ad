"""What of a config decides the weights of a training: kept beside checkpoints, and compared."""

from collections.abc import Mapping
from typing import Any, Protocol

from vosjax.data.config import ClipsConfig
from vosjax.loading.config import modern_model
from vosjax.schema import modern, parse, plain
from vosjax.schema.kinds import hints
from vosjax.train.config import TrainConfig

# parts of `train` that may change between a run and its resumption
FREE = ("log", "workers", "threads", "source", "licence", "card_mem_every")


class Training(Protocol):
    """What decides a training: a `vosjax.config.Config`, which stands in a room above this one."""

    @property
    def family(self) -> str:
        """A folder of vosjax/models."""

    @property
    def model(self) -> dict[str, Any]:
        """Settings of the family's `build`."""

    @property
    def train(self) -> TrainConfig | None:
        """How the weights are found; None where nothing is trained."""

    @property
    def data(self) -> ClipsConfig | None:
        """What the training clips are made of; None likewise."""


def described(config: Training) -> dict[str, Any]:
    """What a stage's `Config` says of its training, as plain JSON values.

        from vosjax.config import opened
        described(opened("train_default"))["train"]["steps"]

    Args:
      config: of the stage.

    Returns:
      {'family': str, 'model': dict, 'train': dict, 'data': dict}, which `decisive` compares.
    """
    return {name: plain(getattr(config, name)) for name in ("family", "model", "train", "data")}


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a `described` config decides the weights, as this version writes it.

    Configs of earlier versions have other names for some fields and lack others, which were then
    as they are by default now.

        decisive(described(config)) == decisive(saved)      # the same weights come out

    Raises:
      FieldError: a value of another type or range.
    """
    train = _filled(TrainConfig, config.get("train"))
    return {
        "family": config.get("family"),
        "model": modern_model(config.get("model") or {}),
        "train": {name: value for name, value in train.items() if name not in FREE},
        "data": _filled(ClipsConfig, config.get("data")),
    }


def _filled(kind: type, values: Mapping[str, Any] | None) -> dict[str, Any]:
    values = modern(values or {}, kind, note=lambda old, new: None)
    known = {name: value for name, value in values.items() if name in hints(kind)}
    return values | plain(parse(kind, known))
