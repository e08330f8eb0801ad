"""From a training state to weights to be shipped: averaged, in half precision, with a card."""

import os
import pathlib
from typing import Any

import jax
import numpy as np

from vosjax import models
from vosjax.checkpoints import weights
from vosjax.checkpoints.checks import check_finite, narrowed
from vosjax.errors import InputError
from vosjax.schema import plain
from vosjax.train import build, checkpoint, checkpoint_folder, decisive, loop, optimizer, state
from vosjax.train.disk import CHECKPOINTS


def export(
    config: Any,
    trained: state.TrainState,
    folder: str | os.PathLike[str],
    *,
    dtype: Any = np.float16,
) -> dict:
    """Writes the averaged weights of `trained` to `folder`; returns the card.

    Args:
      config: the training's `Config`; `train.source` and `train.licence` go to the card.
      trained: the state.
      folder: for weights.safetensors and card.json.
      dtype: of the stored weights.

    Raises:
      InputError: a weight is NaN or infinite, or beyond what `dtype` can hold.
    """
    flat = weights.flatten(jax.tree.map(np.asarray, state.averaged(trained)))
    check_finite(flat, f"the training's state after step {int(trained.step)}")
    params = weights.nest(narrowed(flat, dtype))
    settings = {name: plain(getattr(config, name)) for name in ("train", "data", "stages")}
    card = dict(
        family=config.family,
        config=dict(model=config.settings, mem_every=config.train.card_mem_every),
        source=config.train.source,
        licence=config.train.licence,
        objects=max(part.data.max_objects for _, part in loop.stages(config)),
        training=dict(steps=int(trained.step), **_without_folders(settings)),
    )
    return weights.save_weights(folder, params, card=card)


def _without_folders(config: dict[str, Any]) -> Any:
    """The config with file names in place of the paths of one machine."""
    if isinstance(config, list):
        return [_without_folders(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: ",".join(pathlib.Path(part).name for part in value.split(","))
        if key in ("init", "stills", "root")
        else _without_folders(value)
        for key, value in config.items()
    }


def from_checkpoint(
    config: Any,
    run: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    step: int | None = None,
) -> dict:
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
        (name, part) for name, part in loop.stages(config) if (run / name / CHECKPOINTS).is_dir()
    ]
    if not begun:
        raise InputError(f"no checkpoints below {run}: name the --output of a training run")
    name, part = begun[-1]
    model = build.with_frozen(models.build(part.family, **part.settings), part.train.freeze)
    chain = optimizer.build(build.weight_shapes(model))
    like = jax.eval_shape(
        lambda key: state.fresh(model.init_params(key), model.param_group, chain), jax.random.key(0)
    )
    with checkpoint_folder.manager(run / name / CHECKPOINTS) as saved:
        trained = checkpoint.restore(saved, like, decisive.described(part), step=step)
    if trained is None:
        raise InputError(f"no complete checkpoint below {run / name} yet")
    return export(config, trained, folder)
