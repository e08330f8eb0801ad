"""`Config`: all settings, gathered from the parts of the package that they configure."""

import dataclasses
import functools
from typing import Annotated, Any

import ml_collections
from ml_collections.config_dict import placeholder

from vosjax.config.modes import (
    BenchConfig,
    ExportStepConfig,
    PlanConfig,
    RenderConfig,
    SourceConfig,
    StudioConfig,
    SummaryConfig,
)
from vosjax.data.config import ClipsConfig
from vosjax.eval.config import EvalConfig
from vosjax.loading.config import NetworkConfig
from vosjax.refine.config import RefineConfig
from vosjax.schema import ChangesOf, Checked, FieldError, plain, setting
from vosjax.schema.kinds import class_of, hints
from vosjax.schema.spans import check_span
from vosjax.server.config import ServeConfig
from vosjax.tracking.config import DIRECTIONS
from vosjax.train.config import MarksConfig, PatchesConfig, TrainConfig


@dataclasses.dataclass(frozen=True)
class StageConfig(Checked):
    """One stage of a training: its changes to `train` and `data`."""

    name: str = setting("", "name of the stage's folder; '': stage0, stage1, ...")
    train: Annotated[dict[str, Any], ChangesOf(lambda: TrainConfig)] = setting(
        {}, "changed fields of train"
    )
    data: Annotated[dict[str, Any], ChangesOf(lambda: ClipsConfig)] = setting(
        {}, "changed fields of data"
    )


@dataclasses.dataclass(frozen=True)
class Config(NetworkConfig):
    """The settings of a config file; those that a mode does not use are ignored."""

    mode: str = setting("segment", "the mode of this config if none is named")
    direction: str = setting(
        "both",
        "segment: direction in which objects are tracked from given frames",
        choices=DIRECTIONS,
    )
    profile: tuple[int, int] | None = setting(
        None,
        "segment, eval: first and last frame that are profiled for TensorBoard, from 0; in eval of "
        "the first video that has them; None: no profile",
        least=0,
    )
    overlay: bool = setting(True, "segment: write overlay.mp4")
    save_every: int = setting(200, "segment: frames from one saved state to the next", least=1)
    refine: RefineConfig = setting(
        RefineConfig(), "segment, eval, fuse, refine: stages that refine the masks"
    )
    balance: int | None = setting(
        None,
        "eval: choose the memory interval of each video for about this many memory frames; "
        "None: mem_every",
        least=1,
    )
    balance_low: int = setting(1, "eval: smallest interval, with balance", least=1)
    balance_high: int = setting(20, "eval: largest interval, with balance", least=1)
    fuse_weights: tuple[float, ...] = setting(
        (), "fuse: weights of the runs, for fuse=mean; (): equal weights", above=0
    )
    eval: EvalConfig = setting(EvalConfig(), "settings of --mode eval")
    summary: SummaryConfig = setting(SummaryConfig(), "settings of --mode summary")
    bench: BenchConfig = setting(BenchConfig(), "settings of --mode bench")
    plan: PlanConfig = setting(PlanConfig(), "settings of --mode plan")
    studio: StudioConfig = setting(StudioConfig(), "settings of --mode studio")
    serve: ServeConfig = setting(ServeConfig(), "limits of --mode serve")
    export_step: ExportStepConfig = setting(ExportStepConfig(), "settings of --mode export-step")
    render: RenderConfig = setting(RenderConfig(), "settings of rendered datasets")
    datasets: tuple[SourceConfig, ...] = setting((), "prepare: the downloaded datasets")
    workers: int = setting(4, "prepare: processes that write; 0: only this one", least=0)
    train: TrainConfig | None = setting(None, "settings of --mode train; None: no training")
    data: ClipsConfig | None = setting(None, "the training clips; None: no training")
    patches: PatchesConfig | None = setting(
        None, "patches along boundaries, for a refinement network; None: data is trained on"
    )
    marks: MarksConfig | None = setting(
        None, "marked objects, for an interactive network; None: data is trained on"
    )
    stages: tuple[StageConfig, ...] = setting((), "stages of the training, in order; (): one")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_span("profile", self.profile)
        if self.balance_high < self.balance_low:
            raise FieldError(
                ("balance_high",),
                f"is {self.balance_high}; at least balance_low, {self.balance_low}, is expected",
            )
        if self.train is None:
            complete = self.data is None
        else:
            parts = {"data": self.data, "patches": self.patches, "marks": self.marks}
            inputs = [name for name, part in parts.items() if part is not None]
            complete = bool(inputs)
            if len(inputs) > 1:
                raise FieldError((inputs[1],), f"is given, and so is {inputs[0]}: give one of them")
        if not complete:
            raise FieldError(("train",), "and data belong together: give both, or neither")


def network(
    family: str = "", *, mem_every: int | None = None, **model: Any
) -> ml_collections.ConfigDict:
    """Returns a config of one network.

        config = network("aot", mem_every=5, top_k=32)

    Args:
        family: a folder of vosjax/models; '' takes the embedded weights and their network.
        mem_every: number of frames from one remembered frame to the next; None takes the model's
            default.
        **model: settings of the family's `build`.
    """
    weights = "" if family else "default"
    return as_config_dict(Config(family=family, model=model, weights=weights, mem_every=mem_every))


def training(family: str, **model: Any) -> ml_collections.ConfigDict:
    """Returns a config of a training with AOT's settings.

        config = training("aot", encoder="resnet:50")

    Args:
        family: a folder of vosjax/models.
        **model: settings of the family's `build`.
    """
    return _trained(family, model, data=ClipsConfig())


def patch_training(family: str, **model: Any) -> ml_collections.ConfigDict:
    """Returns a config of a training on patches along boundaries, for a refinement network.

        config = patch_training("bpr")

    Args:
        family: the network's family.
        **model: settings of the family's `build`.
    """
    return _trained(family, model, patches=PatchesConfig())


def mark_training(family: str, **model: Any) -> ml_collections.ConfigDict:
    """Returns a config of a training on marked objects, for an interactive network.

        config = mark_training("interactive")

    Args:
        family: the network's family.
        **model: settings of the family's `build`.
    """
    return _trained(family, model, marks=MarksConfig())


def _trained(family: str, model: dict[str, Any], **inputs: Any) -> ml_collections.ConfigDict:
    config = Config(mode="train", family=family, model=model, train=TrainConfig(), **inputs)
    return as_config_dict(config)


def as_config_dict(config: Config) -> ml_collections.ConfigDict:
    """Converts a config to the form that files of `configs/` change: `config.train.lr = 1e-4`.

        config = as_config_dict(Config(mem_every=3))

    Fields that may be None keep their type. Those of `train`, `data`, `patches` and `marks` that
    are None are left out.

    Args:
        config: the config.
    """
    values = plain(config)
    for name in ("train", "data", "patches", "marks"):
        if values[name] is None:
            del values[name]
    return _dict_of(Config, values)


def _dict_of(kind: type, values: dict) -> ml_collections.ConfigDict:
    made = ml_collections.ConfigDict()
    for name, value in values.items():
        hint = hints(kind)[name]
        inner = class_of(hint)
        if isinstance(value, dict) and inner:
            made[name] = _dict_of(inner, value)
        elif isinstance(value, list):
            made[name] = _tuple_of(value)
        elif value is None:
            made[name] = _empty(hint)
        else:
            made[name] = value
    return made


def _tuple_of(value: Any) -> Any:
    return tuple(_tuple_of(item) if isinstance(item, list) else item for item in value)


@functools.cache
def _scalars(hint: Any) -> tuple:
    return tuple(kind for kind in getattr(hint, "__args__", ()) if kind in (int, float, str))


def _empty(hint: Any) -> Any:
    """Returns a None that remembers the type of the values that may replace it."""
    kinds = _scalars(hint)
    return placeholder(kinds[0]) if len(kinds) == 1 else None
