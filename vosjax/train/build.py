"""What a training config asks for, built: the model, its optimizer and the settings of a step."""

import re
from typing import Any

import jax
import optax

from vosjax import models
from vosjax.errors import InputError
from vosjax.train import optimizer, state, step
from vosjax.train.config import TrainConfig
from vosjax.types import Model


def configured(config: Any) -> Model:
    """The model of a training's `Config`, with the weights frozen that it wants frozen.

    Raises:
      InputError: there is no such model, or it does not fit the rest of the config.
    """
    model = with_frozen(models.build(config.family, **config.settings), config.train.freeze)
    fits(model, config)
    return model


def with_frozen(model: Model, pattern: str) -> Model:
    """The model with the weights in whose path the regular expression is found frozen as well."""

    def group(path: str) -> str:
        return "frozen" if re.search(pattern, path) else model.param_group(path)

    return model._replace(param_group=group) if pattern else model


def fits(model: Model, config: Any) -> None:
    """Raises InputError where a config's numbers cannot work together with its network."""
    data, train = config.data, config.train
    height, width = model.vos.size(data.height, data.width)
    if (height, width) != (data.height, data.width):
        raise InputError(
            f"data.height and data.width are {data.height} and {data.width}: the "
            f"network takes {height} and {width} there"
        )
    if model.vos.slots is not None and data.max_objects > model.vos.slots:
        raise InputError(
            f"data.max_objects is {data.max_objects}: the network holds {model.vos.slots}"
        )
    devices = len(jax.devices())
    if train.batch % devices:
        raise InputError(f"train.batch is {train.batch}: give a multiple of the {devices} devices")


def chain_of(model: Model, train: TrainConfig) -> optax.GradientTransformation:
    """The optimizer that a config describes, for the weights that move."""
    return optimizer.build(
        weight_shapes(model),
        kind=train.optimizer,
        clip=train.clip,
        weight_decay=train.weight_decay,
        no_decay=train.no_decay,
    )


def weight_shapes(model: Model) -> dict[str, int]:
    """{path: number of axes} of the trainable weights, without computing any."""
    shapes = jax.eval_shape(model.init_params, jax.random.key(0))
    trainable, _ = state.split_params(shapes, model.param_group)
    return {path: len(w.shape) for path, w in trainable.items()}


def step_settings(train: TrainConfig) -> step.StepConfig:
    """The fields that are fixed when the step is compiled.

    settings = step_settings(TrainConfig())
    """
    return step.StepConfig(
        **{name: getattr(train, name) for name in step.StepConfig._fields if name != "reference"}
    )
