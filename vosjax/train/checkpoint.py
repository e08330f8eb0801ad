"""Checkpoints by Orbax: saved in the background, whole or absent, and of one config only."""

import logging
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp

from vosjax.errors import InputError
from vosjax.train.state import TrainState

# parts of `train` that may change between a run and its resumption
FREE = ("log", "workers", "threads", "source", "licence", "gap")


def manager(folder, *, keep: int | None = None) -> ocp.CheckpointManager:
    """A manager of the checkpoints in `folder`, one subfolder a step.

    Args:
      folder: is made when missing.
      keep: the newest ones that stay; None: to read only, also while a run writes them.
    """
    logging.getLogger("absl").setLevel(logging.WARNING)  # Orbax tells of every file at INFO
    if keep is None:
        options = ocp.CheckpointManagerOptions(read_only=True)
    else:
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True)
    return ocp.CheckpointManager(pathlib.Path(folder).absolute(), options=options)


def save(
    checkpoints: ocp.CheckpointManager, state: TrainState, config: dict, *, wait: bool = False
):
    """Starts saving `state` with its config (plain JSON values) under its step number.

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
      config: the present config as plain JSON values; `train.log` may differ.
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
    changed = differences(made["config"], config)
    if changed:
        raise InputError(
            f"{checkpoints.directory}/{step} was made with another config "
            f"({'; '.join(changed)}): use its config, or another output folder"
        )
    plain = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), _plain(like))
    found = checkpoints.restore(
        step, args=ocp.args.Composite(state=ocp.args.StandardRestore(plain))
    )["state"]
    return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(found))


def differences(old: dict, new: dict, path: str = "") -> list[str]:
    """What differs between two configs, as 'a.b was 1, is 2', without the parts that may differ."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        here = f"{path}{key}"
        if path == "train." and key in FREE:
            continue
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{here}.")
        elif a != b:
            found.append(f"{here} was {a!r}, is {b!r}")
    return found


def _plain(state: TrainState) -> dict:
    """The state as a dict of numbered leaves, which no '/' in a path and no tuple can upset."""
    return {f"{i:05d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
