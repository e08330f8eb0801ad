"""Schedules: learning rates, share of hard pixels, auxiliary weight, own predictions, EMA decay.

They are computed in double precision on the host. The compiled step takes the results as traced
scalars, so that it is compiled only once. Steps count from 0.
"""

from typing import NamedTuple

import numpy as np

from vosjax.train.config import TrainConfig


class StepScalars(NamedTuple):
    """The scalars of one training step.

    rate          float32   learning rate of the head
    encoder_rate  float32   learning rate of the encoder
    count         int32     pixels of a frame that the cross-entropy keeps
    aux_weight    float32   weight of the reference frame's loss
    own           bool      whether own predictions are remembered instead of the truth
    ema_decay     float32   share of the old average that is kept
    """

    rate: np.float32
    encoder_rate: np.float32
    count: np.int32  # type: ignore[assignment]  # hides `tuple.count`
    aux_weight: np.float32
    own: np.bool_
    ema_decay: np.float32


def polynomial(
    step: int, *, base: float, floor: float, total: int, warmup: float = 0.05, power: float = 0.9
) -> float:
    """Returns AOT's learning rate: a linear warm-up followed by a polynomial decay.

        polynomial(0, base=2e-4, floor=2e-5, total=1000)      # 2e-05

    Args:
        step: number of the step, from 0.
        base: largest rate.
        floor: rate at the start and at the end.
        total: number of steps.
        warmup: share of the steps in which the rate rises.
        power: exponent of the decay.
    """
    first = int(warmup * total)
    if step < first:
        return floor + (base - floor) * step / first
    remaining = max(1 - (step - first) / (total - first + 1), 0.0)
    return floor + (base - floor) * remaining**power


def stepped(step: int, *, base: float, milestones: tuple[int, ...], factor: float = 0.1) -> float:
    """Returns STCN's learning rate: `base`, times `factor` for every milestone that is reached.

    stepped(500, base=1e-5, milestones=(400,))      # a tenth of the base
    """
    return base * factor ** sum(step >= at for at in milestones)


def hard_share(step: int, *, begin: float, end: float, least: float = 0.15) -> float:
    """Returns the share of pixels that the cross-entropy keeps.

        hard_share(10, begin=0, end=10, least=0.15)      # about 0.15

    It is 1 up to step `begin`, falls linearly, and is `least` from step `end` on. AOT: begin 0, end
    half of the steps; STCN: begin 20 000, end 70 000.
    """
    r = min(1.0, max(0.0, (step - begin) / (end - begin + 1e-5)))
    return r * least + (1 - r)


def kept(share: float, pixels: int) -> int:
    """Returns the number of pixels that a share amounts to, truncated, but at least one.

    kept(0.15, pixels=1000)      # 150
    """
    return max(int(share * pixels), 1)


def aux_weight(step: int, *, total: int, share: float) -> float:
    """Returns the weight of the reference frame's loss: 1 at step 0, 0 from share * total steps on.

    aux_weight(0, total=1000, share=0.1)      # 1.0
    """
    end = share * total + 1e-5
    return max(end - step, 0.0) / end if share else 0.0


def ema_decay(update: int, *, total: int) -> float:
    """Returns the decay of the n-th update, from 1: min(1 - 1 / (0.1 total), (1 + n) / (10 + n)).

    ema_decay(1, total=100000)      # 2 / 11
    """
    return max(0.0, min(1 - 1 / (0.1 * total), (1 + update) / (10 + update)))


def step_scalars(step: int, train: TrainConfig, *, pixels: int) -> StepScalars:
    """Computes all scalars of a step.

        scalars = step_scalars(0, TrainConfig(), pixels=465 * 465)

    Args:
        step: number of the step, from 0.
        train: the training's settings.
        pixels: number of pixels of a frame on which the loss is computed.
    """
    total = train.steps
    if train.milestones:
        rate = stepped(step, base=train.lr, milestones=train.milestones)
    else:
        rate = polynomial(
            step,
            base=train.lr,
            floor=train.lr_min,
            total=total,
            warmup=train.warmup,
            power=train.power,
        )
    encoder = (rate - train.lr_min) * train.encoder_lr + train.lr_min
    begin, end = train.hard_begin * total, train.hard_end * total
    share = hard_share(step, begin=begin, end=end, least=train.hard_least)
    return StepScalars(
        np.float32(rate),
        np.float32(encoder),
        np.int32(kept(share, pixels)),
        np.float32(aux_weight(step, total=total, share=train.aux)),
        np.bool_(step >= train.own_from * total),
        np.float32(ema_decay(step + 1, total=total)),
    )
