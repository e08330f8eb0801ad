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
    """Clipping by the global norm, Adam and weight decay; `apply` brings in the learning rates.

        chain = build({path: weight.ndim for path, weight in trainable.items()}, weight_decay=0.07)

    Args:
      paths: {path: ndim} of the weights.
      kind: 'adamw' (decoupled decay, AOT) or 'adam' (L2 added to the gradient, STCN).
      weight_decay: not applied to vectors, nor to paths in which `no_decay` is found.
      clip: largest global norm of the gradient; 0 leaves it alone. The AOT reference clips with
        mixed precision only (otherwise its clip precedes the backward pass); here it always does.
      no_decay: regular expression.

    Raises:
      ValueError: another kind.
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
    """params - rate * updates; the encoder has a rate of its own, and `held` weights stay.

        trainable = apply(trainable, updates, groups, rate=2e-4, encoder_rate=2e-5, held={})

    The rates are arguments of the compiled step, which `schedule` computes on the host for all that
    changes with the step. `optax.inject_hyperparams` and `optax.partition` would keep them, and the
    moments by group, in the optimizer's state: checkpoints of today would not open any more, and
    clipping by the norm of the whole gradient would have to be taken out of the partition.

    Args:
      params: {path: weight}.
      updates: {path: direction} of `build`'s chain.
      groups: {path: 'encoder' or 'head'}.
      rate: scalar.
      encoder_rate: scalar.
      held: {path: bool scalar}, paths that may be missing; True keeps the weight as it is.
    """

    def moved(path: str) -> jax.Array:
        lr = encoder_rate if groups[path] == "encoder" else rate
        if path in held:
            lr = jnp.where(held[path], 0.0, lr)
        return params[path] - lr * updates[path]

    return {path: moved(path) for path in params}
