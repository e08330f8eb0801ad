"""What a training config asks for, built: the model, its optimizer and the settings of a step."""

import re

import jax
import optax

from vosjax import models
from vosjax.errors import InputError
from vosjax.train import optimizer, state, step
from vosjax.types import Model


def configured(config) -> Model:
    """The config's model, with the weights frozen that it wants frozen.

    Raises:
      InputError: there is no such model, or it does not fit the rest of the config.
    """
    try:
        model = with_frozen(models.build(config.family, **config.model), config.train.freeze)
    except ValueError as error:
        raise InputError(str(error)) from error
    fits(model, config)
    return model


def with_frozen(model: Model, pattern: str) -> Model:
    """The model with the weights in whose path the regular expression is found frozen as well."""

    def group(path):
        return "frozen" if re.search(pattern, path) else model.param_group(path)

    return model._replace(param_group=group) if pattern else model


def fits(model: Model, config):
    """Raises InputError where the config's numbers cannot work together."""
    data, train = config.data, config.train
    wanted = model.vos.size(data.height, data.width)
    if tuple(wanted) != (data.height, data.width):
        raise InputError(
            f"data.height and data.width are {data.height} and {data.width}: the "
            f"network takes {wanted[0]} and {wanted[1]} there"
        )
    if data.frames < 2:
        raise InputError(f"data.frames is {data.frames}: a clip needs at least 2")
    if model.vos.slots is not None and data.max_objects > model.vos.slots:
        raise InputError(
            f"data.max_objects is {data.max_objects}: the network holds {model.vos.slots}"
        )
    devices = len(jax.devices())
    if train.batch % devices:
        raise InputError(f"train.batch is {train.batch}: give a multiple of the {devices} devices")
    if train.feedback not in ("hard", "soft"):
        raise InputError(f"train.feedback is {train.feedback!r}: give 'hard' or 'soft'")
    if train.steps < 1:
        raise InputError(f"train.steps is {train.steps}: give at least 1")


def chain_of(model: Model, train) -> optax.GradientTransformation:
    """The optimizer that `config.train` describes, for the weights that move."""
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


def step_settings(train) -> step.StepConfig:
    """The fields of `config.train` that are fixed at compile time."""
    return step.StepConfig(
        **{name: train[name] for name in step.StepConfig._fields if name != "reference"}
    )
