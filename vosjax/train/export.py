"""Exports a training state as weights for use: averaged, in half precision, with a card."""

import os
import pathlib
from typing import Any

import jax
import numpy as np

from vosjax.checkpoints import weights
from vosjax.checkpoints.checks import check_finite, narrowed
from vosjax.errors import InputError
from vosjax.schema import plain
from vosjax.train import (
    build,
    checkpoint,
    checkpoint_folder,
    decisive,
    kept,
    loop,
    optimizer,
    state,
)
from vosjax.train.disk import CHECKPOINTS

PATHS = ("init", "stills", "root", "data")  # fields of a config that name files


def export(
    config: Any,
    trained: state.TrainState,
    folder: str | os.PathLike[str],
    *,
    dtype: Any = np.float16,
) -> dict:
    """Writes the averaged weights of a training state to a folder and returns their card.

    Args:
        config: the training's `Config`; `train.source` and `train.licence` go to the card.
        trained: the state.
        folder: the folder for weights.safetensors and card.json.
        dtype: dtype of the stored weights.

    Raises:
        InputError: a weight is NaN or infinite, or out of the range of `dtype`.
    """
    flat = weights.flatten(jax.tree.map(np.asarray, state.averaged(trained)))
    check_finite(flat, f"the training's state after step {int(trained.step)}")
    params = weights.nest(narrowed(flat, dtype))
    parts = ("train", "data", "patches", "marks", "stages")
    settings = {name: plain(part) for name in parts if (part := getattr(config, name)) is not None}
    card = dict(
        family=config.family,
        config=dict(model=config.settings),
        source=config.train.source,
        licence=config.train.licence,
        training=dict(steps=int(trained.step), **_without_folders(settings)),
    )
    if config.data is not None:  # a network that tracks
        card["config"]["mem_every"] = config.train.card_mem_every
        card["objects"] = max(part.data.max_objects for _, part in loop.stages(config))
    return weights.save_weights(folder, params, card=card)


def _without_folders(config: dict[str, Any]) -> Any:
    """Replaces paths, which are valid on one machine only, by file names in a config."""
    if isinstance(config, list):
        return [_without_folders(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: ",".join(pathlib.Path(part).name for part in value.split(","))
        if key in PATHS and isinstance(value, str)
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
    """Exports a checkpoint of a run and returns the card of the weights.

    By default `train.export` names it, among those of the last stage that was begun: the newest
    one, the one with the best validation J, or that of a step.

    Args:
        config: the run's `Config`.
        run: the run's output folder.
        folder: the folder for the weights.
        step: exports the checkpoint of this step of that stage instead.

    Raises:
        InputError: there is no such checkpoint, or it was made with another config.
    """
    run = pathlib.Path(run)
    begun = [
        (name, part) for name, part in loop.stages(config) if (run / name / CHECKPOINTS).is_dir()
    ]
    if not begun:
        raise InputError(f"no checkpoints below {run}: name the --output of a training run")
    name, part = begun[-1]
    model = build.network(part)
    chain = optimizer.build(build.weight_shapes(model))
    like = build.state_shapes(model, chain)
    if step is None:
        step = _named_step(config.train.export, run / name / CHECKPOINTS)
    with checkpoint_folder.manager(run / name / CHECKPOINTS) as saved:
        trained = checkpoint.restore(saved, like, decisive.described(part), step=step)
    if trained is None:
        raise InputError(f"no complete checkpoint below {run / name} yet")
    return export(config, trained, folder)


def _named_step(name: str, folder: pathlib.Path) -> int | None:
    """Returns the step that 'newest' (None), 'best' or a number names among checkpoints."""
    if name == "newest":
        return None
    if name != "best":
        return int(name)
    by_step = kept.scores(folder, checkpoint_folder.steps(folder))
    if not by_step:
        raise InputError(
            f"no checkpoint in {folder} has a validation score, so none is the best: give "
            "--config.train.export=newest, or train with train.log.validate above 0"
        )
    return kept.ranked(by_step)[0]
