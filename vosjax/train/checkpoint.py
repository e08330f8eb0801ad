"""Checkpoints by Orbax: saved in the background, complete or absent, and bound to one config.

A digest of each array is stored with the state, as a stored array can be damaged in ways that
Orbax does not notice. If a checkpoint is damaged, the one before it is used.
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
from vosjax.train import device, processes
from vosjax.train.checkpoint_folder import in_a_line, saving, set_aside, steps
from vosjax.train.decisive import decisive
from vosjax.train.state import TrainState


class Damaged(Exception):
    """A checkpoint is damaged; the message gives the reason."""


def save(
    checkpoints: ocp.CheckpointManager,
    state: TrainState,
    config: dict[str, Any],
    *,
    wait: bool = False,
) -> None:
    """Starts saving a state under its step number.

        save(checkpoints, state, described(config))

    It returns once the arrays are copied, so that the state may be donated afterwards. A step that
    is already saved is left as it is.

    Args:
        checkpoints: a `checkpoint_folder.manager`.
        state: the state.
        config: the `decisive.described` config of the run, which is stored with it.
        wait: whether to return only when the checkpoint is complete.

    Raises:
        NotFinite: the state holds NaN or infinite numbers, with which training cannot continue.
        InputError: this checkpoint, or the one begun before it, cannot be written.
        DiskFull: the disk is full.
    """
    step = int(state.step)
    with saving(checkpoints.directory):
        if step not in checkpoints.all_steps():
            state = device.whole(state)
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
    """Restores the newest checkpoint that is not damaged; returns None if there is none.

        state = restore(checkpoints, state, described(config)) or state

    A warning names every damaged checkpoint that is passed over, with the reason.

    Args:
        checkpoints: a `checkpoint_folder.manager`.
        like: a state of the same structure and shapes.
        config: the `decisive.described` config of the run; its FREE fields may differ from the
            saved ones.
        step: restores the checkpoint of this step instead.
        repair: whether damaged checkpoints are renamed, so that a run that resumes before them can
            save their steps again.

    Raises:
        InputError: the checkpoint was made with another config, there is none of this step, or all
            are damaged.
    """
    folder = pathlib.Path(checkpoints.directory)
    if step is not None and step not in steps(folder):
        raise InputError(
            f"no checkpoint of step {step} in {folder}; there are: "
            f"{', '.join(map(str, steps(folder))) or 'none'}"
        )
    damaged: dict[int, str] = {}
    while candidates := [at for at in steps(folder) if at not in damaged and step in (None, at)]:
        at = candidates[-1]
        try:
            state = _restored(checkpoints, like, config, at)
        except Damaged as error:
            if (folder / str(at)).is_dir():  # else the run that writes here has removed it
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
            _check_shared(at)
            set_aside(checkpoints, list(damaged))
        return state
    if damaged:
        reasons = "; ".join(f"step {at}: {reason}" for at, reason in damaged.items())
        raise InputError(
            f"no checkpoint in {folder} can be used ({reasons}): bring back a copy of it, or "
            "remove the folder to start anew"
        )
    if repair:
        _check_shared(0)
    return None


def digests(state: TrainState, config: dict[str, Any]) -> dict[str, Any]:
    """Returns the SHA-256 of each array of a state, by its number in `_plain`, and the config's.

    digests(state, described(config))["state"]["00000"]
    """
    return {
        "state": {number: array_digest(leaf) for number, leaf in _plain(state).items()},
        "config": _json_digest(config),
    }


def _check_shared(step: int) -> None:
    """Raises an InputError in all processes of a training unless they found the same checkpoint."""
    processes.check_same(
        f"{step:020d}".encode(),
        "the processes found different checkpoints: give them the same --output, in a folder that "
        "all of them share",
    )


def _restored(
    checkpoints: ocp.CheckpointManager, like: TrainState, config: dict[str, Any], step: int
) -> TrainState:
    """Restores one checkpoint.

    Raises:
        Damaged: its content is not what was saved.
        InputError: it was made with another config, or permission to read it is missing.
    """
    path = pathlib.Path(checkpoints.directory) / str(step)
    _check_readable(path)
    saved_config = _read(checkpoints, step, config=ocp.args.JsonRestore())["config"]
    saved_digests = None
    if (path / "digests").is_dir():  # checkpoints of earlier versions have none
        saved_digests = _read(checkpoints, step, digests=ocp.args.JsonRestore())["digests"]
        if not isinstance(saved_digests, dict) or saved_digests.get("config") != _json_digest(
            saved_config
        ):
            raise Damaged("its config is not the one that was saved")
    if not isinstance(saved_config, dict):
        raise Damaged("its config is none")
    changed = differences(decisive(saved_config), decisive(config))
    if changed:
        raise InputError(
            f"{path} was made with another config ({'; '.join(changed)}): use its config, or "
            "another output folder"
        )
    blank = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), _plain(like))
    arrays = _read(checkpoints, step, state=ocp.args.StandardRestore(blank))["state"]
    if saved_digests is not None:
        digests_now = {number: array_digest(leaf) for number, leaf in arrays.items()}
        changed = [
            name
            for number, name in _names(like).items()
            if saved_digests["state"].get(number) != digests_now[number]
        ]
        if changed:
            more = f" and {len(changed) - 1} more arrays" if changed[1:] else ""
            raise Damaged(f"array {changed[0]!r}{more} changed since it was saved")
    return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(arrays))


def _read(checkpoints: ocp.CheckpointManager, step: int, **items: ocp.args.CheckpointArgs) -> Any:
    """Reads an item of a checkpoint; raises `Damaged` for any error of Orbax or TensorStore."""
    try:
        return checkpoints.restore(step, args=ocp.args.Composite(**items))
    except Exception as error:
        (name,) = items
        raise Damaged(f"its {name} cannot be read: {in_a_line(error)}") from error


def _check_readable(path: pathlib.Path) -> None:
    """Raises an InputError that names a file if permission to read one is missing."""
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
    """Returns {number in `_plain`: name}, such as 'trainable/decoder/kernel'."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {
        f"{i:05d}": jax.tree_util.keystr(path, simple=True, separator="/")
        for i, (path, _) in enumerate(leaves)
    }


def _json_digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _plain(state: TrainState) -> dict[str, Any]:
    """Returns the leaves of a state as a dict by number, since Orbax does not take '/' in names."""
    return {f"{i:05d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
