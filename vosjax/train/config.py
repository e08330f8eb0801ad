"""What can be set of a training; the defaults are AOT's."""

import dataclasses

from vosjax.schema import NEVER, Checked, FieldError, setting


@dataclasses.dataclass(frozen=True)
class LogConfig(Checked):
    """How often a run tells, validates and saves; in steps, 0 for never."""

    every: int = setting(20, "steps between two rows of figures", least=0)
    pictures: int = setting(200, "steps between two pictures", least=0)
    validate: int = setting(200, "steps between two validations", least=0)
    checkpoint: int = setting(500, "steps between two checkpoints", least=0)
    keep: int = setting(3, "checkpoints that stay", least=1)
    clips: int = setting(4, "clips that are validated", least=1)
    frames: int = setting(12, "frames of each", least=2)


@dataclasses.dataclass(frozen=True)
class TrainConfig(Checked):
    """How the weights are found. Shares are of the number of steps."""

    steps: int = setting(100_000, "steps of the stage", least=1)
    batch: int = setting(16, "clips a step, over all devices", least=1)
    seed: int = setting(0, "of weights and clips", least=0, most=2**32 - 1)
    init: str = setting(
        "", "'': random; encoders' .pth or .npz; a model's folder (`train/start.py`)"
    )
    scale: tuple[tuple[str, float], ...] = setting(
        (), "(regular expression, factor): weights scaled before the first step", pattern=True
    )
    freeze: str = setting(
        "", "weights that never move, beside the network's own frozen ones", pattern=True
    )
    # the optimizer
    optimizer: str = setting(
        "adamw", "adamw, or adam with L2 in place of decoupled decay", choices=("adam", "adamw")
    )
    lr: float = setting(4e-4, "the head's highest learning rate", least=0)
    lr_min: float = setting(2e-5, "the rate that it starts and ends at", least=0)
    encoder_lr: float = setting(0.1, "share of the head's rate above lr_min", least=0)
    warmup: float = setting(0.05, "share of the steps in which the rate rises", least=0, most=1)
    power: float = setting(0.9, "of the polynomial by which it falls", least=0)
    milestones: tuple[int, ...] = setting(
        (), "steps at which the rate falls to a tenth, in place of the polynomial", least=0
    )
    weight_decay: float = setting(0.03, "decay of weights", least=0)
    no_decay: str = setting("", "weights without decay; vectors never have any", pattern=True)
    clip: float = setting(5.0, "largest norm of the gradient; 0 leaves it alone", least=0)
    # the loss
    hard_begin: float = setting(
        0.0,
        "the share of pixels in the cross-entropy falls from 1 here (or before the start) ...",
        least=-1,
    )
    hard_end: float = setting(0.5, "... to hard_least here", least=0)
    hard_least: float = setting(0.15, "the least share of pixels", least=0, most=1)
    jaccard_weight: float = setting(0.5, "of the soft Jaccard in the loss", least=0, most=1)
    aux: float = setting(0.1, "the reference frame's loss has faded by here", least=0)
    loss_stride: int = setting(1, "the loss takes every n-th pixel of rows and columns", least=1)
    # the clip
    mem_every: int = setting(
        NEVER,
        "frames between two remembered ones; never by default: the reference alone",
        least=1,
        was="memory_gap",
        was_never=9999,
    )
    card_mem_every: int = setting(
        NEVER,
        "the same where the model is used: goes to its card",
        least=1,
        was="gap",
        was_never=9999,
    )
    feedback: str = setting(
        "hard", "labels, or probabilities with their gradient", choices=("hard", "soft")
    )
    own_from: float = setting(1.0, "from here on own predictions are fed back", least=0)
    held: str = setting("", "weights that rest while they are", pattern=True)
    # the machine
    remat: bool = setting(False, "compute frames twice to save memory")
    cpu_devices: int = setting(
        0, "split a CPU into so many devices, which share a batch; 0: as it is", least=0
    )
    workers: int = setting(0, "processes that make clips; 0: none", least=0)
    threads: int = setting(2, "threads in each that make clips ahead of time", least=0)
    source: str = setting("", "what the weights were made from: for their card")
    licence: str = setting("", "under which licence: likewise")
    log: LogConfig = setting(LogConfig(), "how often it tells, validates and saves")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hard_end < self.hard_begin:
            raise FieldError(
                ("hard_end",),
                f"is {self.hard_end}; at least hard_begin, {self.hard_begin}, is expected",
            )
