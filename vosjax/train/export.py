"""From a training state to weights that can be shipped: averaged, in half precision, with a card."""

import json
import pathlib

import jax
import numpy as np

from vosjax import models
from vosjax.checkpoints import weights
from vosjax.errors import InputError
from vosjax.train import checkpoint, loop, optimizer, recipe, state


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
    with np.errstate(over="ignore"):  # named below
        params = jax.tree.map(lambda w: np.asarray(w, dtype), state.averaged(trained))
    bad = [path for path, w in weights.flatten(params).items() if not np.isfinite(w).all()]
    if bad:
        raise InputError(f"weights that {np.dtype(dtype)} cannot hold: {', '.join(bad)}")
    plain = _without_folders(json.loads(config.to_json_best_effort()))
    card = dict(
        family=config.family,
        config=dict(model=plain["model"], gap=config.train.gap),
        source=config.train.source,
        licence=config.train.licence,
        objects=max(part.data.max_objects for _, part in loop.stages(config)),
        training=dict(
            steps=int(trained.step),
            train=plain["train"],
            data=plain["data"],
            stages=plain["stages"],
        ),
    )
    return weights.save_weights(folder, params, card=card)


def _without_folders(config):
    """The config with file names in place of the paths of one machine."""
    if isinstance(config, list):
        return [_without_folders(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: ",".join(pathlib.Path(part).name for part in value.split(","))
        if key in ("init", "stills")
        else _without_folders(value)
        for key, value in config.items()
    }


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
    run = pathlib.Path(run)
    begun = [
        (name, part) for name, part in loop.stages(config) if (run / name / "checkpoints").is_dir()
    ]
    if not begun:
        raise InputError(f"no checkpoints below {run}: name the --output of a training run")
    name, part = begun[-1]
    model = recipe.with_frozen(models.build(part.family, **part.model), part.train.freeze)
    chain = optimizer.build(recipe.weight_shapes(model))
    like = jax.eval_shape(
        lambda key: state.fresh(model.init_params(key), model.param_group, chain), jax.random.key(0)
    )
    with checkpoint.manager(run / name / "checkpoints") as saved:
        found = checkpoint.restore(saved, like, json.loads(part.to_json_best_effort()), step=step)
    if found is None:
        raise InputError(f"no complete checkpoint below {run / name} yet")
    return export(config, found, folder)
