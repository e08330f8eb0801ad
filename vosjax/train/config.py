"""Settings of a training (the defaults are those of AOT), of patches, and of marked objects."""

import dataclasses

from vosjax.data.config import DatasetConfig
from vosjax.errors import shown
from vosjax.loading.config import DTYPES
from vosjax.schema import NEVER, Checked, FieldError, setting
from vosjax.schema.spans import check_span


@dataclasses.dataclass(frozen=True)
class LogConfig(Checked):
    """How often a run logs, validates and saves; intervals are in steps."""

    every: int = setting(20, "steps between two rows of figures; 0: never", least=0)
    pictures: int = setting(200, "steps between two pictures; 0: never", least=0)
    validate: int = setting(200, "steps between two validations; 0: never", least=0)
    checkpoint: int = setting(500, "steps between two checkpoints; 0: only one at the end", least=0)
    keep: int = setting(3, "number of newest checkpoints that are kept", least=1)
    keep_best: int = setting(
        1,
        "number of checkpoints of the best validation J that are kept besides; a validation that "
        "is among the best saves one",
        least=0,
    )
    clips: int = setting(4, "number of rendered clips for validation", least=1)
    frames: int = setting(12, "frames of each rendered clip for validation", least=2)
    data: str = setting(
        "", "a dataset for validation, a folder or a prepared one; '': rendered clips"
    )
    split: str | None = setting(
        None, "split of that dataset, or a list in its ImageSets; None: every video"
    )
    videos: int = setting(
        0, "number of its videos, at even distances in their list; 0: all", least=0
    )
    video_frames: int = setting(0, "frames of each video, from its first one; 0: all", least=0)
    max_short_side: int | None = setting(
        None,
        "largest short side, in pixels, that the network sees of these videos; None: the "
        "network's own rule",
        least=1,
    )
    peak: float | None = setting(
        None,
        "operations per second that one device can do at most, for the figure of utilisation; "
        "None: a table of known devices",
        above=0,
    )


@dataclasses.dataclass(frozen=True)
class TrainConfig(Checked):
    """How the weights are trained."""

    steps: int = setting(100_000, "number of steps of the stage", least=1)
    batch: int = setting(16, "clips per step, over all devices", least=1)
    seed: int = setting(0, "seed of initial weights and clips", least=0, most=2**32 - 1)
    init: str = setting(
        "",
        "initial weights: encoders' .pth or .npz, or a model's folder, here or in data.root; '': "
        "random",
    )
    scale: tuple[tuple[str, float], ...] = setting(
        (),
        "pairs (regular expression, factor) by which matching initial weights are multiplied",
        pattern=True,
    )
    freeze: str = setting(
        "",
        "regular expression of weights that are frozen, besides those that the network freezes",
        pattern=True,
    )
    # the optimizer
    optimizer: str = setting(
        "adamw", "adamw, or adam with L2 instead of decoupled decay", choices=("adam", "adamw")
    )
    lr: float = setting(4e-4, "largest learning rate of the head", least=0)
    lr_min: float = setting(2e-5, "learning rate at the start and at the end", least=0)
    encoder_lr: float = setting(
        0.1, "learning rate of the encoder above lr_min, as a share of the head's", least=0
    )
    warmup: float = setting(
        0.05, "share of the steps in which the learning rate rises", least=0, most=1
    )
    power: float = setting(0.9, "exponent of the polynomial decay of the learning rate", least=0)
    milestones: tuple[int, ...] = setting(
        (), "steps at which the learning rate falls to a tenth, instead of the polynomial", least=0
    )
    weight_decay: float = setting(0.03, "weight decay", least=0)
    no_decay: str = setting(
        "",
        "regular expression of weights without decay; vectors never decay with adamw",
        pattern=True,
    )
    clip: float = setting(5.0, "largest global norm of the gradient; 0: no clipping", least=0)
    # the loss
    hard_begin: float = setting(
        0.0,
        "share of the steps after which fewer pixels count in the cross-entropy; may be negative",
        least=-1,
    )
    hard_end: float = setting(
        0.5, "share of the steps after which hard_least of the pixels count", least=0
    )
    hard_least: float = setting(
        0.15, "smallest share of pixels that count in the cross-entropy", least=0, most=1
    )
    jaccard_weight: float = setting(
        0.5,
        "weight w of the soft Jaccard loss; the cross-entropy has 1 - w",
        least=0,
        most=1,
    )
    aux: float = setting(
        0.1, "share of the steps in which the weight of the reference's loss falls to 0", least=0
    )
    loss_stride: int = setting(
        1, "compute the loss on every n-th pixel of rows and columns", least=1
    )
    # the clip
    mem_every: int = setting(
        NEVER,
        "frames from one remembered frame to the next; by default only the reference is remembered",
        least=1,
        was="memory_gap",
        was_never=9999,
    )
    card_mem_every: int = setting(
        NEVER,
        "frames from one remembered frame to the next for the trained model; stored in its card",
        least=1,
        was="gap",
        was_never=9999,
    )
    feedback: str = setting(
        "hard",
        "what is remembered of predictions: hard labels, or soft probabilities with gradients",
        choices=("hard", "soft"),
    )
    own_from: float = setting(
        1.0,
        "share of the steps after which own predictions are remembered instead of the truth",
        least=0,
    )
    held: str = setting(
        "",
        "regular expression of weights that stay fixed while own predictions are remembered",
        pattern=True,
    )
    # the machine
    dtype: str = setting(
        "float32",
        "dtype in which the network computes; weights, norms' statistics and losses are float32",
        choices=DTYPES,
    )
    accumulate: int = setting(
        1, "parts of a batch that are computed one after the other, to save memory", least=1
    )
    remat: bool = setting(False, "recompute frames in the backward pass to save memory")
    sharded: int = setting(
        1,
        "devices that share one copy of weights and optimizer state; 1: each device has its own",
        least=1,
    )
    cpu_devices: int = setting(
        0, "split a CPU into this many devices, which share a batch; 0: do not", least=0
    )
    workers: int = setting(0, "processes that make clips; 0: the training's own", least=0)
    threads: int = setting(2, "threads per process that make clips ahead of time", least=0)
    skip_nonfinite: int = setting(
        0,
        "number of steps in a row whose loss or gradient may be not finite: they leave the weights "
        "as they are; 0: the first one ends the run",
        least=0,
    )
    export: str = setting(
        "newest", "the checkpoint that --mode export takes: newest, best, or the number of a step"
    )
    profile: tuple[int, int] | None = setting(
        None,
        "first and last step that are profiled for TensorBoard, as metrics.csv counts them; None: "
        "no profile",
        least=1,
    )
    source: str = setting("", "what the weights were trained on, for their card")
    licence: str = setting("", "licence of the weights, for their card")
    log: LogConfig = setting(LogConfig(), "how often to log, validate and save")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_span("profile", self.profile)
        if self.hard_end < self.hard_begin:
            raise FieldError(
                ("hard_end",),
                f"is {self.hard_end}; at least hard_begin, {self.hard_begin}, is expected",
            )
        if self.export not in ("newest", "best") and not self.export.isdecimal():
            raise FieldError(
                ("export",),
                f"is {shown(self.export)}; newest, best or the number of a step is expected",
            )


@dataclasses.dataclass(frozen=True)
class PatchSetConfig(Checked):
    """One set of patches along boundaries, as `--mode patches` makes it."""

    folder: str = setting(dataclasses.MISSING, "folder that --mode patches wrote")
    weight: float | None = setting(
        None, "share of patches among all sets; None: the number of its patches", least=0
    )
    only: str = setting(
        "", "only videos in whose names this regular expression is found; '': all", pattern=True
    )


@dataclasses.dataclass(frozen=True)
class PatchesConfig(Checked):
    """Patches along the boundaries of coarse masks: how they are made, and trained on."""

    side: int = setting(64, "side of a patch in pixels of the frame", least=8, most=1024)
    threshold: float = setting(
        0.25, "IoU of two boxes from which on the second one is dropped", above=0, most=1
    )
    least_iou: float = setting(
        0.5, "objects whose best IoU with the truth is not above this are dropped", least=0, most=1
    )
    every: int = setting(1, "take every n-th frame of a video", least=1)
    sets: tuple[PatchSetConfig, ...] = setting((), "the sets of patches that are trained on")
    root: str = setting("", "folder that relative folders of the sets are in")
    held_out: str = setting(
        "",
        "regular expression of videos that are kept for validation; '': none",
        pattern=True,
    )
    flip: float = setting(0.5, "probability that a patch is mirrored", least=0, most=1)
    colour: bool = setting(True, "change brightness, contrast, saturation and hue of half of them")


@dataclasses.dataclass(frozen=True)
class MarksConfig(Checked):
    """Objects of pictures that an interactive network learns to find by boxes and clicks."""

    sets: tuple[DatasetConfig, ...] = setting((), "the datasets, photos or videos with masks")
    root: str = setting("", "folder that relative folders of the sets are in")
    colour: bool = setting(True, "change brightness, contrast, saturation, hue and sharpness")
    validation: tuple[DatasetConfig, ...] = setting(
        (), "the datasets whose objects are kept for validation; (): no validation"
    )
    validated: int = setting(128, "number of objects of a validation", least=1)
