"""What training carries from step to step, as one pytree of flat {path: array} dicts."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import traverse_util


class TrainState(NamedTuple):
    """All that a training has to keep: its clips and its random keys follow from the step.

    step       int32 scalar, steps done
    trainable  {path: weight} that the optimizer moves
    frozen     {path: weight} that it never touches; no gradient, no moments, no average
    average    {path: weight} EMA of `trainable`
    moments    the optimizer's state
    """

    step: jax.Array
    trainable: dict
    frozen: dict
    average: dict
    moments: Any


def split_params(params: dict, group: Callable[[str], str]) -> tuple[dict, dict]:
    """Nested params as flat dicts of the trainable and of the frozen ones.

        trainable, frozen = split_params(params, model.param_group)

    Args:
      params: nested dict of arrays.
      group: `Model.param_group`.
    """
    flat = traverse_util.flatten_dict(params, sep="/")
    trainable = {path: w for path, w in flat.items() if group(path) != "frozen"}
    return trainable, {path: w for path, w in flat.items() if path not in trainable}


def join_params(trainable: dict, frozen: dict) -> dict:
    """The nested params that a network takes: the inverse of `split_params`.

    params = join_params(state.trainable, state.frozen)
    """
    return traverse_util.unflatten_dict({**trainable, **frozen}, sep="/")


def fresh(
    params: dict, group: Callable[[str], str], optimizer: optax.GradientTransformation
) -> TrainState:
    """The state before the first step; arrays are copied, so that a donated state owns its own.

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
    """The nested params with the averaged weights: what is validated and exported.

    params = averaged(state)
    """
    return join_params(state.average, state.frozen)
