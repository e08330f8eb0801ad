"""Checkpoints by Orbax: saved in the background, whole or absent, and of one config only.

Beside the state stands a digest of each of its arrays, as what is stored can be damaged in ways
that its reader does not notice. A damaged checkpoint is passed over for the one before it.
"""

import hashlib
import json
import os
import pathlib
import warnings
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from vosjax.checkpoints.checks import array_digest, check_finite
from vosjax.errors import InputError, Note, NotFinite
from vosjax.runs.differences import differences
from vosjax.train.checkpoint_folder import in_a_line, saving, set_aside, steps
from vosjax.train.decisive import decisive
from vosjax.train.state import TrainState


class Damaged(Exception):
    """A checkpoint that cannot be used, with the reason."""


def save(
    checkpoints: ocp.CheckpointManager,
    state: TrainState,
    config: dict[str, Any],
    *,
    wait: bool = False,
) -> None:
    """Starts saving `state` with its config (`decisive.described`) under its step number.

        save(checkpoints, state, described(config))

    Returns when the arrays are copied out, so that the state may be donated right after; with
    `wait`, when the checkpoint is complete. A step that is already there is left as it is.

    Raises:
      NotFinite: the state holds NaN or infinite numbers, with which no training can go on.
      InputError, DiskFull: this checkpoint, or the one that was begun before it, cannot be written.
    """
    step = int(state.step)
    with saving(checkpoints.directory):
        if step not in checkpoints.all_steps():
            state = jax.tree.map(np.asarray, state)
            _refuse_nan(state, step)
            checkpoints.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(_plain(state)),
                    config=ocp.args.JsonSave(config),
                    digests=ocp.args.JsonSave(digests(state, config)),
                ),
            )
        if wait:
            checkpoints.wait_until_finished()


def restore(
    checkpoints: ocp.CheckpointManager,
    like: TrainState,
    config: dict[str, Any],
    *,
    step: int | None = None,
    repair: bool = False,
) -> TrainState | None:
    """The state of the newest checkpoint that is sound (or that of `step`), None without any.

    A warning names every damaged one that was passed over, and what is wrong with it.

        state = restore(checkpoints, fresh_state, described(config)) or fresh_state

    Args:
      checkpoints: of `checkpoint_folder.manager`.
      like: a state of the same structure and shapes.
      config: the present config, of `decisive.described`; what is FREE in it may differ.
      step: a step that was saved.
      repair: sets damaged ones aside, under names of their own, so that a run which goes on before
        them can save their steps anew.

    Raises:
      InputError: the checkpoint was made with another config, there is none of this step, or none
        is sound.
    """
    folder = pathlib.Path(checkpoints.directory)
    if step is not None and step not in steps(folder):
        raise InputError(
            f"no checkpoint of step {step} in {folder}; there are: "
            f"{', '.join(map(str, steps(folder))) or 'none'}"
        )
    damaged: dict[int, str] = {}
    while left := [at for at in steps(folder) if at not in damaged and step in (None, at)]:
        at = left[-1]
        try:
            state = _restored(checkpoints, like, config, at)
        except Damaged as error:
            if (folder / str(at)).is_dir():  # else a run that goes on has removed it
                damaged[at] = str(error)
            continue
        for bad, reason in damaged.items():
            warnings.warn(
                f"the checkpoint of step {bad} in {folder} is damaged ({reason}): that of step "
                f"{at} is used",
                Note,
                stacklevel=2,
            )
        if repair:
            set_aside(checkpoints, list(damaged))
        return state
    if damaged:
        said = "; ".join(f"step {at}: {reason}" for at, reason in damaged.items())
        raise InputError(
            f"no checkpoint in {folder} can be used ({said}): bring back a copy of it, or remove "
            "the folder to start anew"
        )
    return None


def digests(state: TrainState, config: dict[str, Any]) -> dict[str, Any]:
    """sha256 of every array of a state, by its leaf's number, and of the config's JSON.

    digests(state, described(config))["state"]["00000"]
    """
    return {
        "state": {number: array_digest(leaf) for number, leaf in _plain(state).items()},
        "config": _json_digest(config),
    }


def _restored(
    checkpoints: ocp.CheckpointManager, like: TrainState, config: dict[str, Any], step: int
) -> TrainState:
    """The state of one checkpoint.

    Raises:
      Damaged: it is not as it was saved.
      InputError: it was made with another config, or may not be read.
    """
    path = pathlib.Path(checkpoints.directory) / str(step)
    _check_readable(path)
    said = _read(checkpoints, step, config=ocp.args.JsonRestore())["config"]
    kept = None
    if (path / "digests").is_dir():  # earlier versions kept none
        kept = _read(checkpoints, step, digests=ocp.args.JsonRestore())["digests"]
        if not isinstance(kept, dict) or kept.get("config") != _json_digest(said):
            raise Damaged("its config is not the one that was saved")
    if not isinstance(said, dict):
        raise Damaged("its config is none")
    changed = differences(decisive(said), decisive(config))
    if changed:
        raise InputError(
            f"{path} was made with another config ({'; '.join(changed)}): use its config, or "
            "another output folder"
        )
    blank = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), _plain(like))
    arrays = _read(checkpoints, step, state=ocp.args.StandardRestore(blank))["state"]
    if kept is not None:
        found = {number: array_digest(leaf) for number, leaf in arrays.items()}
        names = _names(like)
        changed = [names[number] for number in names if kept["state"].get(number) != found[number]]
        if changed:
            more = f" and {len(changed) - 1} more arrays" if changed[1:] else ""
            raise Damaged(f"array {changed[0]!r}{more} changed since it was saved")
    return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(arrays))


def _read(checkpoints: ocp.CheckpointManager, step: int, **items: ocp.args.CheckpointArgs) -> Any:
    """Items of a checkpoint; whatever Orbax and TensorStore raise is `Damaged`."""
    try:
        return checkpoints.restore(step, args=ocp.args.Composite(**items))
    except Exception as error:
        (name,) = items
        raise Damaged(f"its {name} cannot be read: {in_a_line(error)}") from error


def _check_readable(path: pathlib.Path) -> None:
    """Files that may not be read are no damage: raises InputError that names one."""
    for folder, _, files in os.walk(path):
        for name in ("", *files):
            if not os.access(os.path.join(folder, name), os.R_OK):
                raise InputError(
                    f"{os.path.join(folder, name)} may not be read: give this user the permission"
                )


def _refuse_nan(state: TrainState, step: int) -> None:
    names = _names(state)
    flat = {names[number]: leaf for number, leaf in _plain(state).items()}
    try:
        check_finite(flat, f"the state after step {step} is not stored")
    except InputError as error:
        raise NotFinite(
            f"{error}; lower train.lr or lengthen train.warmup: the last checkpoint is from before"
        ) from error


def _names(state: TrainState) -> dict[str, str]:
    """{number in `_plain`: 'trainable/decoder/kernel'}."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {
        f"{i:05d}": jax.tree_util.keystr(path, simple=True, separator="/")
        for i, (path, _) in enumerate(leaves)
    }


def _json_digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _plain(state: TrainState) -> dict[str, Any]:
    """The state as a dict of numbered leaves, which no '/' in a path and no tuple can upset."""
    return {f"{i:05d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
