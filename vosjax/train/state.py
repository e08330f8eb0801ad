"""The state of a training: one pytree of flat {path: array} dicts."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import traverse_util


class TrainState(NamedTuple):
    """Everything that a training carries from step to step; clips and keys follow from the step.

    step       int32 scalar, number of steps done
    trainable  {path: weight} that the optimizer updates
    frozen     {path: weight} that never change; without gradient, moments or average
    average    {path: weight}, the EMA of `trainable`
    moments    the optimizer's state
    """

    step: jax.Array
    trainable: dict
    frozen: dict
    average: dict
    moments: Any


def split_params(params: dict, group: Callable[[str], str]) -> tuple[dict, dict]:
    """Splits nested params into flat dicts of the trainable and of the frozen weights.

        trainable, frozen = split_params(params, model.param_group)

    Args:
        params: nested dict of arrays.
        group: `Model.param_group`.
    """
    flat = traverse_util.flatten_dict(params, sep="/")
    trainable = {path: w for path, w in flat.items() if group(path) != "frozen"}
    return trainable, {path: w for path, w in flat.items() if path not in trainable}


def join_params(trainable: dict, frozen: dict) -> dict:
    """Joins both dicts to the nested params that a network takes: the inverse of `split_params`.

    params = join_params(state.trainable, state.frozen)
    """
    return traverse_util.unflatten_dict({**trainable, **frozen}, sep="/")


def fresh(
    params: dict, group: Callable[[str], str], optimizer: optax.GradientTransformation
) -> TrainState:
    """Returns the state before the first step; its arrays are copies, so it can be donated.

    state = fresh(params, model.param_group, optimizer.build(paths))
    """
    trainable, frozen = split_params(params, group)
    copied = jax.tree.map(lambda w: jnp.array(w, jnp.float32), trainable)
    return TrainState(
        jnp.zeros((), jnp.int32),
        copied,
        jax.tree.map(lambda w: jnp.array(w), frozen),
        jax.tree.map(lambda w: jnp.array(w, jnp.float32), trainable),
        optimizer.init(copied),
    )


def averaged(state: TrainState) -> dict:
    """Returns the nested params with the averaged weights, which are validated and exported.

    params = averaged(state)
    """
    return join_params(state.average, state.frozen)
