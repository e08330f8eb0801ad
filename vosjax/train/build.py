"""Builds what a training config asks for: the model, its optimizer and the settings of a step."""

import functools
import re
from collections.abc import Callable
from typing import Any

import jax
import optax

from vosjax.errors import InputError
from vosjax.loading import networks
from vosjax.train import nonfinite, optimizer, state, step
from vosjax.train.config import TrainConfig
from vosjax.types import Model


def configured(config: Any) -> Model:
    """Builds the model that a training's `Config` names, and freezes the weights of `train.freeze`.

        from vosjax.config import opened
        model = configured(opened("train_default"))

    Args:
        config: a `Config` with a training.

    Raises:
        InputError: there is no such model, or it does not fit the rest of the config.
    """
    model = network(config)
    fits(model, config)
    return model


def network(config: Any) -> Any:
    """Builds the network of any kind that a training's `Config` names, with `train.freeze`.

        from vosjax.config import opened
        network(opened("train_default")).param_group("encoder/stem/kernel")      # 'frozen'

    Raises:
        InputError: there is no such network, or it is one that cannot be trained.
    """
    built = networks.build(config.family, **config.settings)
    if not hasattr(built, "param_group"):
        raise InputError(
            f"family {config.family!r} cannot be trained: take its published weights by "
            "--mode convert"
        )
    return with_frozen(built, config.train.freeze)


def with_frozen(model: Any, pattern: str) -> Any:
    """Freezes further weights of a model, in addition to those that it freezes itself.

        from vosjax.config import opened
        model = with_frozen(configured(opened("train_default")), "^encoder/")

    Args:
        model: the model.
        pattern: regular expression; a weight is frozen if it is found in the weight's '/'-joined
            path. '' returns the model as it is.
    """

    def group(path: str) -> str:
        return "frozen" if re.search(pattern, path) else model.param_group(path)

    return model._replace(param_group=group) if pattern else model


def fits(model: Model, config: Any, devices: int | None = None) -> None:
    """Checks that the numbers of a training's config work together with its network.

        from vosjax.config import opened
        config = opened("train_default")
        fits(configured(config), config)

    Args:
        model: the network.
        config: a `Config` with a training.
        devices: as for `divides`.

    Raises:
        InputError: the network does not take the frame size or the number of objects, or the batch
            cannot be distributed evenly over the devices.
    """
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
    divides(train, devices)


def divides(train: TrainConfig, devices: int | None = None) -> None:
    """Checks that weights and batches can be distributed evenly over the devices.

        divides(TrainConfig(batch=16, accumulate=2))

    Args:
        train: the training's settings.
        devices: number of devices of another machine; None takes those that are there.

    Raises:
        InputError: they cannot.
    """
    elsewhere = devices is not None
    devices = len(jax.devices()) if devices is None else devices
    least = devices * train.accumulate
    if train.batch % least:
        parts = f" in {train.accumulate} parts (train.accumulate)" if train.accumulate > 1 else ""
        raise InputError(
            f"train.batch is {train.batch}, which cannot be shared evenly by {devices} "
            f"device{'s'[: devices > 1]}{parts}: give a multiple of {least}"
        )
    if devices % train.sharded:
        raise InputError(
            f"train.sharded is {train.sharded}: give a divisor of the number of devices, {devices}"
        )
    of_process = len(jax.local_devices())
    if not elsewhere and of_process * jax.process_count() != devices:
        raise InputError(
            f"this process has {of_process} of the {devices} devices of {jax.process_count()} "
            "processes: give every process the same number"
        )


def chain_of(model: Any, train: TrainConfig) -> optax.GradientTransformation:
    """Builds the optimizer that a config describes, for the trainable weights of a model.

        from vosjax.config import opened
        config = opened("train_default")
        chain = chain_of(configured(config), config.train)

    Args:
        model: the model.
        train: the training's settings.
    """
    return optimizer.build(
        weight_shapes(model),
        kind=train.optimizer,
        clip=train.clip,
        weight_decay=train.weight_decay,
        no_decay=train.no_decay,
    )


def weight_shapes(model: Any) -> dict[str, int]:
    """Returns {path: number of axes} for all trainable weights, without computing a weight.

        from vosjax.config import opened
        axes = weight_shapes(configured(opened("train_default")))

    Args:
        model: the model.
    """
    shapes = jax.eval_shape(model.init_params, jax.random.key(0))
    trainable, _ = state.split_params(shapes, model.param_group)
    return {path: len(w.shape) for path, w in trainable.items()}


def state_shapes(model: Any, chain: optax.GradientTransformation) -> state.TrainState:
    """Returns the shapes and dtypes of a training's state, without computing a weight.

        from vosjax.config import opened
        config = opened("train_default")
        model = configured(config)
        shapes = state_shapes(model, chain_of(model, config.train))

    Args:
        model: the model.
        chain: its optimizer.
    """
    return jax.eval_shape(
        lambda key: state.fresh(model.init_params(key), model.param_group, chain), jax.random.key(0)
    )


def step_settings(train: TrainConfig) -> step.StepConfig:
    """Returns the settings of a training that are fixed when its step is compiled.

    settings = step_settings(TrainConfig())
    """
    return step.StepConfig(
        **{name: getattr(train, name) for name in step.StepConfig._fields if name != "reference"}
    )


def undivided(train: TrainConfig) -> None:
    """Checks that the batches of a network that does not track are computed in one part.

        undivided(TrainConfig(accumulate=1))

    Networks on patches are normalised by the statistics of the whole batch.

    Raises:
        InputError: `train.accumulate` says otherwise.
    """
    if train.accumulate > 1:
        raise InputError(
            f"train.accumulate is {train.accumulate}: a network that does not track is trained on "
            "the whole batch, which is not computed in parts; give 1, and a smaller train.batch"
        )


def compiled_step(
    train_step: Callable[..., Any],
    network: Any,
    train: TrainConfig,
    chain: optax.GradientTransformation,
    shardings: Any = None,
) -> Any:
    """Compiles the step of a network that does not track, on its first call.

        from vosjax.config import opened
        from vosjax.train import boundary
        config = opened("train_boundary")
        model = network(config)
        chain = chain_of(model, config.train)
        advance = compiled_step(boundary.train_step, model, config.train, chain)

    Args:
        train_step: a function (network, chain, state, batch, scalars, key, dtype=) -> (state,
            metrics).
        network: the network.
        train: the training's settings.
        chain: its optimizer.
        shardings: how the new state lies on the devices, see `device.of_state`; None leaves it to
            the compiler.

    Returns:
        A function (state, batch, scalars, key) -> (state, metrics) that donates the state.
    """
    run = nonfinite.without_nonfinite(
        functools.partial(train_step, network, chain, dtype=train.dtype), train.skip_nonfinite
    )
    return jax.jit(run, donate_argnums=0, out_shardings=(shardings, None))
