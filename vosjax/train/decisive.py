"""The part of a config that decides the weights: stored with checkpoints, and compared."""

from collections.abc import Mapping
from typing import Any, Protocol

from vosjax.data.config import ClipsConfig
from vosjax.loading.config import modern_model
from vosjax.schema import modern, parse, plain
from vosjax.schema.kinds import hints
from vosjax.train.config import MarksConfig, PatchesConfig, TrainConfig

BESIDES = {"patches": PatchesConfig, "marks": MarksConfig}  # trained on in place of clips
# Fields of `train` that may change when a run is resumed.
MACHINE = ("accumulate", "remat", "sharded", "cpu_devices", "workers", "threads")
FREE = (
    "log",
    "source",
    "licence",
    "card_mem_every",
    "profile",
    "skip_nonfinite",
    "export",
    *MACHINE,
)


class Training(Protocol):
    """The fields of a `vosjax.config.Config` that decide a training; its room is above this one."""

    @property
    def family(self) -> str:
        """A folder of vosjax/models."""

    @property
    def model(self) -> dict[str, Any]:
        """Settings of the family's `build`."""

    @property
    def train(self) -> TrainConfig | None:
        """Settings of the training; None if nothing is trained."""

    @property
    def data(self) -> ClipsConfig | None:
        """Settings of the training clips; None if nothing is trained, or on patches."""

    @property
    def patches(self) -> PatchesConfig | None:
        """Settings of the patches along boundaries; None for another training."""

    @property
    def marks(self) -> MarksConfig | None:
        """Settings of the marked objects; None for another training."""


def described(config: Training) -> dict[str, Any]:
    """Returns the parts of a stage's `Config` that describe its training, as plain JSON values.

        from vosjax.config import opened
        described(opened("train_default"))["train"]["steps"]

    Args:
        config: the config of the stage.

    Returns:
        {'family': str, 'model': dict, 'train': dict, 'data': dict}, which `decisive` compares; for
        a training on patches or marks also 'patches' or 'marks', a dict, and 'data' is None.
    """
    besides = tuple(name for name in BESIDES if getattr(config, name))
    return {
        name: plain(getattr(config, name))
        for name in ("family", "model", "train", "data", *besides)
    }


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the part of a `described` config that decides the weights, in today's form.

    In configs of earlier versions some fields have other names, and some are missing; these had
    the values that are their defaults now.

        decisive(described(config)) == decisive(saved)      # the same weights come out

    Raises:
        FieldError: a value is of another type or range.
    """
    train = _filled(TrainConfig, config.get("train"))
    return {
        "family": config.get("family"),
        "model": modern_model(config.get("model") or {}),
        "train": {name: value for name, value in train.items() if name not in FREE},
        "data": _filled(ClipsConfig, config.get("data")),
    } | {name: _filled(kind, config[name]) for name, kind in BESIDES.items() if config.get(name)}


def _filled(kind: type, values: Mapping[str, Any] | None) -> dict[str, Any]:
    values = modern(values or {}, kind, note=lambda old, new: None)
    known = {name: value for name, value in values.items() if name in hints(kind)}
    return values | plain(parse(kind, known))
