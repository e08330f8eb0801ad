"""Saves the batch of a step that is not finite, so that it can be looked at."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from vosjax.errors import InputError
from vosjax.io.files import atomic
from vosjax.train.nonfinite import NotFiniteSteps
from vosjax.train.task import Task


@contextlib.contextmanager
def saving_batch(folder: str | os.PathLike[str], task: Task, seed: int) -> Iterator[None]:
    """Saves the offending batch if the block ends because steps are not finite.

        with saving_batch("runs/first", task, seed=0):
            train()

    Args:
        folder: the folder for the file `nonfinite-STEP.npz`.
        task: what is trained.
        seed: the training's seed.

    Raises:
        NotFiniteSteps: as in the block; the message says where the batch is, or why it is not.
    """
    try:
        yield
    except NotFiniteSteps as error:
        try:
            path = save_batch(folder, task, seed=seed, step=error.first)
        except InputError as refused:
            note = f"the batch of step {error.first} could not be saved: {refused}"
        else:
            note = f"the batch of step {error.first} is in {path}"
        raise NotFiniteSteps(f"{error}; {note}", error.first) from error


def save_batch(folder: str | os.PathLike[str], task: Task, *, seed: int, step: int) -> pathlib.Path:
    """Writes the batch of a step to `nonfinite-STEP.npz` and returns the file's path.

        path = save_batch("runs/first", task_of(config), seed=0, step=17)
        np.load(path)["frames"]

    The batch is made anew, which gives the same one, as it depends on the config and the step
    alone. The file has the batch's arrays by the names of their fields (of clips: frames uint8
    [B, T, H, W, 3], labels uint8 [B, T, H, W], live bool [B, N]), `step`, and `key`, the data
    uint32 [2] of the step's random key. Each process of a cluster writes its own rows, with its
    number at the end of the name.

    Args:
        folder: the folder.
        task: what is trained.
        seed: the training's seed.
        step: number of the step, from 0.

    Raises:
        DiskFull: the disk is full.
        InputError: the file cannot be written.
    """
    with contextlib.closing(task.batches(step)) as batches:
        leaves = jax.tree_util.tree_leaves_with_path(next(batches))
    arrays: dict[str, Any] = {
        jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf)
        for path, leaf in leaves
    }
    key = jax.random.fold_in(jax.random.key(seed), step)
    process = f"-{jax.process_index()}" if jax.process_count() > 1 else ""
    path = pathlib.Path(folder) / f"nonfinite-{step}{process}.npz"
    with atomic(path) as temp:
        np.savez_compressed(temp, **arrays, step=step, key=jax.random.key_data(key))
    return path
