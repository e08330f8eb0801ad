"""What training carries from step to step, as one pytree of flat {path: array} dicts."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import traverse_util


class TrainState(NamedTuple):
    """The whole of it: the data stream and the random keys follow from the step.

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


def split(params: dict, group) -> tuple[dict, dict]:
    """Nested params -> flat (trainable, frozen), by `group(path)` of the `Model`."""
    flat = traverse_util.flatten_dict(params, sep="/")
    trainable = {path: w for path, w in flat.items() if group(path) != "frozen"}
    return trainable, {path: w for path, w in flat.items() if path not in trainable}


def join(trainable: dict, frozen: dict) -> dict:
    """The nested params that a network takes."""
    return traverse_util.unflatten_dict({**trainable, **frozen}, sep="/")


def fresh(params: dict, group, optimizer) -> TrainState:
    """Step 0 from nested params; arrays are copied, so that a donated state owns its own."""
    trainable, frozen = split(params, group)
    copied = jax.tree.map(lambda w: jnp.array(w, jnp.float32), trainable)
    return TrainState(
        jnp.zeros((), jnp.int32),
        copied,
        jax.tree.map(lambda w: jnp.array(w), frozen),
        jax.tree.map(lambda w: jnp.array(w, jnp.float32), trainable),
        optimizer.init(copied),
    )


def averaged(state: TrainState) -> dict:
    """The nested params with the averaged weights: what is validated and exported."""
    return join(state.average, state.frozen)
