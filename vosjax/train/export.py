"""From a training state to weights that can be shipped: averaged, in half precision, with a card."""

import json

import jax
import numpy as np

from vosjax import models
from vosjax.io import weights
from vosjax.io.errors import InputError
from vosjax.train import checkpoint, loop, optimizer, state


def export(config, trained: state.TrainState, folder, *, dtype=np.float16) -> dict:
    """Writes the averaged weights of `trained` to `folder`; returns the card.

    Args:
      config: the training config; `train.source` and `train.licence` go to the card.
      trained: the state.
      folder: for weights.safetensors and card.json.
      dtype: of the stored weights.

    Raises:
      InputError: a weight does not fit `dtype`.
    """
    params = jax.tree.map(lambda w: np.asarray(w, dtype), state.averaged(trained))
    bad = [path for path, w in weights.flatten(params).items() if not np.isfinite(w).all()]
    if bad:
        raise InputError(f"weights that {np.dtype(dtype)} cannot hold: {', '.join(bad)}")
    plain = json.loads(config.to_json_best_effort())
    card = dict(
        family=config.family,
        config=dict(model=plain["model"], gap=_gap(config.train.memory_gap)),
        source=config.train.source, licence=config.train.licence,
        training=dict(steps=int(trained.step), train=plain["train"], data=plain["data"],
                      stages=plain["stages"]))
    return weights.save_weights(folder, params, card=card)


def from_checkpoint(config, run, folder, *, step: int | None = None) -> dict:
    """Exports a checkpoint of a run (the newest one of its last stage begun); returns the card.

    Args:
      config: the run's config.
      run: the run's output folder.
      folder: for the weights.
      step: another checkpoint of that stage.

    Raises:
      InputError: there is no checkpoint, or one of another config.
    """
    begun = [(name, part) for name, part in loop.stages(config)
             if (run / name / "checkpoints").is_dir()]
    if not begun:
        raise InputError(f"no checkpoints below {run}: name the --output of a training run")
    name, part = begun[-1]
    model = loop.with_frozen(models.build(part.family, **part.model), part.train.freeze)
    chain = optimizer.build(loop.weight_shapes(model))
    like = jax.eval_shape(lambda key: state.fresh(model.fresh(key), model.group, chain),
                          jax.random.key(0))
    with checkpoint.manager(run / name / "checkpoints", keep=part.train.log.keep) as saved:
        found = checkpoint.restore(saved, like, json.loads(part.to_json_best_effort()), step=step)
    if found is None:
        raise InputError(f"no complete checkpoint below {run / name} yet")
    return export(config, found, folder)


def _gap(memory_gap: int) -> int:
    """Models trained with the reference frame alone in the memory are run so too (AOT)."""
    return 5 if memory_gap < 100 else memory_gap
