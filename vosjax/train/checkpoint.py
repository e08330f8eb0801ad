"""Checkpoints by Orbax: saved in the background, whole or absent, and of one config only."""

import logging
import pathlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from vosjax.data.config import ClipsConfig
from vosjax.errors import InputError
from vosjax.loading.config import modern_model
from vosjax.runs.differences import differences
from vosjax.schema import modern, parse, plain
from vosjax.schema.kinds import hints
from vosjax.train.config import TrainConfig
from vosjax.train.state import TrainState

# parts of `train` that may change between a run and its resumption
FREE = ("log", "workers", "threads", "source", "licence", "card_mem_every")


def manager(folder, *, keep: int | None = None) -> ocp.CheckpointManager:
    """A manager of the checkpoints in `folder`, one subfolder a step.

    Args:
      folder: is made when missing.
      keep: the newest ones that stay; None: to read only, also while a run writes them.
    """
    logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax tells of every file and setting
    if keep is None:
        options = ocp.CheckpointManagerOptions(read_only=True)
    else:
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True)
    return ocp.CheckpointManager(pathlib.Path(folder).absolute(), options=options)


def save(
    checkpoints: ocp.CheckpointManager, state: TrainState, config: dict, *, wait: bool = False
):
    """Starts saving `state` with its config (`described`) under its step number.

    Returns when the arrays are copied out, so that the state may be donated right after; with
    `wait`, when the checkpoint is complete. A step that is already there is left as it is.
    """
    step = int(state.step)
    if step not in checkpoints.all_steps():
        checkpoints.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(jax.tree.map(np.asarray, _plain(state))),
                config=ocp.args.JsonSave(config),
            ),
        )
    if wait:
        checkpoints.wait_until_finished()


def restore(
    checkpoints: ocp.CheckpointManager, like: TrainState, config: dict, *, step: int | None = None
) -> TrainState | None:
    """The newest checkpoint's state (or that of `step`), None when there is none.

    Args:
      checkpoints: of `manager`.
      like: a state of the same structure and shapes.
      config: the present config, of `described`; what is FREE in it may differ.
      step: a step that was saved.

    Raises:
      InputError: the checkpoint was made with another config, or there is none of this step.
    """
    step = checkpoints.latest_step() if step is None else step
    if step is None:
        return None
    if step not in checkpoints.all_steps():
        raise InputError(
            f"no checkpoint of step {step} in {checkpoints.directory}; there are: "
            f"{', '.join(map(str, sorted(checkpoints.all_steps()))) or 'none'}"
        )
    made = checkpoints.restore(step, args=ocp.args.Composite(config=ocp.args.JsonRestore()))
    changed = differences(decisive(made["config"]), decisive(config))
    if changed:
        raise InputError(
            f"{checkpoints.directory}/{step} was made with another config "
            f"({'; '.join(changed)}): use its config, or another output folder"
        )
    blank = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), _plain(like))
    restored = checkpoints.restore(
        step, args=ocp.args.Composite(state=ocp.args.StandardRestore(blank))
    )["state"]
    return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(restored))


def described(config) -> dict:
    """What a stage's `Config` says of its training, as plain JSON values."""
    return {name: plain(getattr(config, name)) for name in ("family", "model", "train", "data")}


def decisive(config: dict) -> dict:
    """What of a `described` config decides the weights, as this version writes it.

    Configs of earlier versions have other names for some fields and lack others, which were then
    as they are by default now.
    """
    train = _filled(TrainConfig, config.get("train"))
    return {
        "family": config.get("family"),
        "model": modern_model(config.get("model") or {}),
        "train": {name: value for name, value in train.items() if name not in FREE},
        "data": _filled(ClipsConfig, config.get("data")),
    }


def _filled(kind: type, values: dict | None) -> dict[str, Any]:
    values = modern(values or {}, kind, note=lambda old, new: None)
    known = {name: value for name, value in values.items() if name in hints(kind)}
    return values | plain(parse(kind, known))


def _plain(state: TrainState) -> dict:
    """The state as a dict of numbered leaves, which no '/' in a path and no tuple can upset."""
    return {f"{i:05d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
