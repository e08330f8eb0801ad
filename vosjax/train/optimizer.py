"""The optimizer as an optax chain over a flat {path: weight} dict of the trainable weights."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax


def build(
    paths: dict[str, Any],
    *,
    kind: str = "adamw",
    weight_decay: float = 0.0,
    clip: float = 5.0,
    no_decay: str = "",
) -> optax.GradientTransformation:
    """Builds a chain of gradient clipping, Adam and weight decay, without learning rates.

        chain = build({path: weight.ndim for path, weight in trainable.items()}, weight_decay=0.07)

    The learning rates are applied by `apply`.

    Args:
        paths: {path: number of axes} of the weights.
        kind: 'adamw' (decoupled decay, AOT) or 'adam' (L2 added to the gradient, STCN).
        weight_decay: factor of the decay. With 'adamw' it is not applied to vectors, nor to weights
            in whose paths `no_decay` is found.
        clip: largest global norm of the gradient; 0 for no clipping. The AOT reference clips with
            mixed precision only, as otherwise its call precedes the backward pass; here the
            gradient is always clipped.
        no_decay: regular expression; '' matches no weight.

    Raises:
        ValueError: `kind` is neither.
    """
    if kind not in ("adamw", "adam"):
        raise ValueError(f"train.optimizer is {kind!r}: expected 'adamw' or 'adam'")
    mask = {
        path: ndim > 1 and not (no_decay and re.search(no_decay, path))
        for path, ndim in paths.items()
    }
    if kind == "adam":
        mask = {path: True for path in paths}
    decay = optax.add_decayed_weights(weight_decay, mask)
    adam = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8)
    steps = (adam, decay) if kind == "adamw" else (decay, adam)
    return optax.chain(*((optax.clip_by_global_norm(clip),) if clip else ()), *steps)


def apply(
    params: dict,
    updates: dict,
    groups: dict,
    *,
    rate: jax.Array | np.float32,
    encoder_rate: jax.Array | np.float32,
    held: dict,
) -> dict:
    """Returns params - rate * updates, with a separate rate for the encoder.

        trainable = apply(trainable, updates, groups, rate=2e-4, encoder_rate=2e-5, held={})

    The rates are arguments of the compiled step; `schedule` computes them on the host, like
    everything that changes from step to step. `optax.inject_hyperparams` and `optax.partition`
    would keep them, and the moments by group, in the optimizer's state. Existing checkpoints could
    then not be read, and clipping by the norm of the whole gradient would have to be done outside
    of the partition.

    Args:
        params: {path: weight}.
        updates: {path: direction}, the result of the chain of `build`.
        groups: {path: 'encoder' or 'head'}.
        rate: learning rate of the head, a scalar.
        encoder_rate: learning rate of the encoder, a scalar.
        held: {path: bool scalar} for some of the paths; True leaves the weight unchanged.
    """

    def moved(path: str) -> jax.Array:
        lr = encoder_rate if groups[path] == "encoder" else rate
        if path in held:
            lr = jnp.where(held[path], 0.0, lr)
        return params[path] - lr * updates[path]

    return {path: moved(path) for path in params}
