"""Checkpoints by Orbax: saved in the background, whole or absent, and of one config only.

Beside the state stands a digest of each of its arrays, as what is stored can be damaged in ways
that its reader does not notice. A damaged checkpoint is passed over for the one before it.
"""

import contextlib
import hashlib
import json
import logging
import os
import pathlib
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import jax
import numpy as np
import orbax.checkpoint as ocp

from vosjax.checkpoints.checks import array_digest, check_finite
from vosjax.data.config import ClipsConfig
from vosjax.errors import InputError, Note, NotFinite
from vosjax.io.files import disk_full
from vosjax.loading.config import modern_model
from vosjax.runs.differences import differences
from vosjax.schema import modern, parse, plain
from vosjax.schema.kinds import hints
from vosjax.train.config import TrainConfig
from vosjax.train.state import TrainState

# parts of `train` that may change between a run and its resumption
FREE = ("log", "workers", "threads", "source", "licence", "card_mem_every")
ASIDE = "damaged-"  # before the step, in the name of a damaged checkpoint that was set aside
LONGEST = 160  # characters of what a library says


class Training(Protocol):
    """What decides a training: a `vosjax.config.Config`, which stands in a room above this one."""

    @property
    def family(self) -> str:
        """A folder of vosjax/models."""

    @property
    def model(self) -> dict[str, Any]:
        """Settings of the family's `build`."""

    @property
    def train(self) -> TrainConfig | None:
        """How the weights are found; None where nothing is trained."""

    @property
    def data(self) -> ClipsConfig | None:
        """What the training clips are made of; None likewise."""


class Damaged(Exception):
    """A checkpoint that cannot be used, with the reason."""


def manager(folder: str | os.PathLike[str], *, keep: int | None = None) -> ocp.CheckpointManager:
    """A manager of the checkpoints in `folder`, one subfolder a step.

    Args:
      folder: is made when missing.
      keep: the newest ones that stay; None: to read only, also while a run writes them.
    """
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax tells of every file and setting
    if not isinstance(sys.unraisablehook, _WithoutLateCallbacks):
        sys.unraisablehook = _WithoutLateCallbacks(sys.unraisablehook)
    if keep is None:
        options = ocp.CheckpointManagerOptions(read_only=True)
    else:
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True)
    return ocp.CheckpointManager(pathlib.Path(folder).absolute(), options=options)


class _WithoutLateCallbacks:
    """An unraisable hook that drops what TensorStore's threads still tell an event loop of Orbax.

    The loop is closed when one of many files cannot be read or written; that one was raised.
    """

    def __init__(self, hook: Callable[[Any], None]) -> None:
        self._hook = hook

    def __call__(self, unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            self._hook(unraisable)


@contextlib.contextmanager
def managed(folder: str | os.PathLike[str], *, keep: int) -> Iterator[ocp.CheckpointManager]:
    """`manager`, closed at the end; what goes wrong with the disk is one line.

        with managed("runs/stcn/checkpoints", keep=3) as checkpoints:
            save(checkpoints, state, described(config))

    Raises:
      InputError, DiskFull: the folder cannot be made or written.
    """
    with _saving(folder):
        checkpoints = manager(folder, keep=keep)
    try:
        yield checkpoints
    except BaseException:
        with contextlib.suppress(Exception):  # the first error is the one to be told
            checkpoints.close()
        raise
    with _saving(folder):
        checkpoints.close()


def save(
    checkpoints: ocp.CheckpointManager,
    state: TrainState,
    config: dict[str, Any],
    *,
    wait: bool = False,
) -> None:
    """Starts saving `state` with its config (`described`) under its step number.

    Returns when the arrays are copied out, so that the state may be donated right after; with
    `wait`, when the checkpoint is complete. A step that is already there is left as it is.

    Raises:
      NotFinite: the state holds NaN or infinite numbers, with which no training can go on.
      InputError, DiskFull: this checkpoint, or the one that was begun before it, cannot be written.
    """
    step = int(state.step)
    with _saving(checkpoints.directory):
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

    Args:
      checkpoints: of `manager`.
      like: a state of the same structure and shapes.
      config: the present config, of `described`; what is FREE in it may differ.
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


def steps(folder: pathlib.Path) -> list[int]:
    """The steps of the checkpoints in a folder, damaged ones as well, in order."""
    if not folder.is_dir():
        return []
    names = [path.name for path in folder.iterdir() if path.is_dir()]
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def set_aside(checkpoints: ocp.CheckpointManager, damaged: list[int]) -> None:
    """Renames damaged checkpoints, so that their steps are free again.

    set_aside(checkpoints, [1500])      # 'damaged-1500' now, if someone wants to look into it
    """
    folder = pathlib.Path(checkpoints.directory)
    with _saving(folder):
        for step in damaged:
            target = folder / f"{ASIDE}{step}"
            shutil.rmtree(target, ignore_errors=True)
            (folder / str(step)).rename(target)
        if damaged:
            checkpoints.reload()


def digests(state: TrainState, config: dict[str, Any]) -> dict[str, Any]:
    """sha256 of every array of a state, by its number in `_plain`, and of the config's JSON."""
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
        raise Damaged(f"its {name} cannot be read: {_short(error)}") from error


def _check_readable(path: pathlib.Path) -> None:
    """Files that may not be read are no damage: raises InputError that names one."""
    for folder, _, files in os.walk(path):
        for name in ("", *files):
            if not os.access(os.path.join(folder, name), os.R_OK):
                raise InputError(
                    f"{os.path.join(folder, name)} may not be read: give this user the permission"
                )


@contextlib.contextmanager
def _saving(folder: str | os.PathLike[str]) -> Iterator[None]:
    """One line for whatever Orbax raises while it writes below a folder."""
    try:
        with disk_full(folder):
            yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"checkpoints cannot be written to {folder} ({_short(error)}): free some space or name "
            "another --output; the same command goes on from the last checkpoint"
        ) from error


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


def _short(error: Exception) -> str:
    """What a library says, cut to a line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def described(config: Training) -> dict[str, Any]:
    """What a stage's `Config` says of its training, as plain JSON values."""
    return {name: plain(getattr(config, name)) for name in ("family", "model", "train", "data")}


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
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


def _filled(kind: type, values: Mapping[str, Any] | None) -> dict[str, Any]:
    values = modern(values or {}, kind, note=lambda old, new: None)
    known = {name: value for name, value in values.items() if name in hints(kind)}
    return values | plain(parse(kind, known))


def _plain(state: TrainState) -> dict[str, Any]:
    """The state as a dict of numbered leaves, which no '/' in a path and no tuple can upset."""
    return {f"{i:05d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
