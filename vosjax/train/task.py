"""What a training trains: the one loop takes it, whatever its batches and its loss are."""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import optax

from vosjax.train.schedule import StepScalars
from vosjax.train.state import TrainState

Advance = Callable[[TrainState, Any, StepScalars, Any], tuple[TrainState, Any]]


class Task(NamedTuple):
    """A network, its batches, its loss and its validation.

    network    has `init_params`, `param_group` and `pretrained_encoders` as a `types.Model` has
    batches    batches(start_step) -> an endless generator of this process's rows of the batches for
               the steps start_step, start_step + 1, ..., pytrees of host arrays; the batches depend
               on the config alone
    advance    advance(chain, lies) -> a function (state, batch, scalars, key) -> (state, metrics)
               of arrays over all devices, which donates the state and lays the new one as `lies`
               says (`device.of_state`). `metrics` is a NamedTuple of
               scalars, among them `loss` and `gradient` (the gradient's global norm), and of
               `prediction`, which may be anything
    pixels     pixels(batch) -> the number of pixels of a frame on which the loss is computed
    validated  validated(params) -> {figure: value} of nested params
    picture    picture(batch, metrics) -> (frames uint8 [T, H, W, 3], labels uint8 [T, H, W],
               prediction uint8 [T, H, W]) for the log
    unit       what a batch consists of, for the name of the speed's figure: 'clips'
    columns    the columns of metrics.csv
    """

    network: Any
    batches: Callable[[int], Generator[Any]]
    advance: Callable[[optax.GradientTransformation, Any], Advance]
    pixels: Callable[[Any], int]
    validated: Callable[[Any], dict[str, float]]
    picture: Callable[[Any, Any], tuple[Any, Any, Any]]
    unit: str
    columns: tuple[str, ...]
