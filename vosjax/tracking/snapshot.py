"""A tracker outside of its process: its state as arrays and plain numbers, and one file of them."""

import copy
import dataclasses
import io
import json
import os
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.checkpoints.checks import is_floating
from vosjax.checkpoints.npz import read_npz
from vosjax.errors import InputError
from vosjax.io.files import write_bytes
from vosjax.tracking.books import Books, read_books
from vosjax.tracking.slots import HostArray

FORMAT = 2  # 1 did not say which annotated frame stands for which object
ANEW = "the same command starts the video anew"


class Snapshot(NamedTuple):
    """A tracker at rest.

    network  pytree of numpy arrays, a list of its leaves where it was read from a file; None
             without an object
    queued   uint8 [H, W], labels that wait for the next frame, or None
    books    of its own
    """

    network: Any
    queued: HostArray | None
    books: Books


def take(network: Any, queued: HostArray | None, books: Books) -> Snapshot:
    """A snapshot that shares nothing with the tracker.

    snapshot = take(state, None, books)
    """
    queued = None if queued is None else queued.copy()
    return Snapshot(jax.tree.map(np.array, network), queued, copy.deepcopy(books))


def save(path: str | os.PathLike[str], snapshot: Snapshot) -> None:
    """Writes a snapshot as one uncompressed .npz, atomically.

        save("tracker.npz", tracker.state)

    Raises:
        DiskFull: the disk is full.
    """
    leaves = jax.tree.leaves(snapshot.network)
    arrays = leaves + ([] if snapshot.queued is None else [snapshot.queued])
    books = dataclasses.asdict(snapshot.books)
    if not books["refined"]:
        del books["refined"]  # so that versions without it read what they know
    head = {
        "format": FORMAT,
        "books": books,
        "queued": snapshot.queued is not None,
        "forms": [[array.dtype.name, list(array.shape)] for array in arrays],
    }
    buffer = io.BytesIO()
    # Raw bytes: numpy's own format knows no bfloat16.
    parts = {f"leaf{i}": array.tobytes() for i, array in enumerate(arrays)}
    parts["head"] = json.dumps(head).encode()
    raw: dict[str, Any] = {name: np.frombuffer(part, np.uint8) for name, part in parts.items()}
    np.savez(buffer, **raw)
    write_bytes(path, buffer.getbuffer())


def load(path: str | os.PathLike[str]) -> Snapshot:
    """Reads what `save` wrote.

        tracker = Tracker.restore(load("tracker.npz"), model)

    Raises:
        InputError: no such file, not one of ours, a damaged one, or one of another version; the
            message says what to remove.
    """
    path = pathlib.Path(path)
    try:
        parts = read_npz(path)
        head = json.loads(parts["head"].tobytes())
        if head["format"] != FORMAT:
            raise _Other(str(head["format"])[:20])
        arrays = [
            np.frombuffer(parts[f"leaf{i}"].tobytes(), jnp.dtype(name)).reshape(shape)
            for i, (name, shape) in enumerate(head["forms"])
        ]
        books = read_books(head["books"])
        queued = arrays.pop() if head["queued"] else None
        _check_queued(queued, books)
        return Snapshot(arrays, queued, books)
    except _Other as other:
        raise InputError(
            f"{path} was saved by another version (format {other}, this one reads {FORMAT}): "
            f"remove it, and {ANEW}"
        ) from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} is no saved tracker ({reason}): it is missing or damaged; remove it, and "
            + ANEW
        ) from error


class _Other(Exception):
    """A file of another version."""


def _check_queued(queued: HostArray | None, books: Books) -> None:
    """Raises ValueError unless labels that wait for a frame can be given with one."""
    if queued is None:
        return
    size = books.size or queued.shape
    if queued.dtype.kind not in "iub" or queued.ndim != 2 or queued.shape != tuple(size):
        raise ValueError(f"labels that wait are {queued.dtype} {list(queued.shape)}")


def check_weights(saved: str, present: str) -> None:
    """Raises InputError unless both sha256 are the same.

    check_weights(books.weights, model.card["sha256"])
    """
    if saved != present:
        raise InputError(
            f"the saved state belongs to weights {saved[:12]}..., the model has "
            f"{present[:12]}...: load the weights it was made with"
        )


def misfit() -> InputError:
    """The error that refuses a state of another network or size."""
    return InputError(
        "the saved state does not fit the network: load the model and settings that it was made "
        "with"
    )


def fit(network: Any, shapes: Any) -> Any:
    """The leaves of a saved network on the device, in the structure of `shapes`.

        state = fit(snapshot.network, jax.eval_shape(init, params))

    Args:
        network: pytree or list of leaves.
        shapes: pytree of shapes and dtypes.

    Raises:
        InputError: they are of another network or size, or no numbers.
    """
    expected, structure = jax.tree.flatten(shapes)
    leaves = jax.tree.leaves(network)
    forms = [[(leaf.shape, np.dtype(leaf.dtype)) for leaf in side] for side in (leaves, expected)]
    if forms[0] != forms[1]:
        raise misfit()
    for leaf in leaves:
        if is_floating(leaf.dtype) and np.isnan(leaf).any():
            raise InputError(
                f"the saved state holds {int(np.isnan(leaf).sum()):,} NaN of {leaf.size:,} values: "
                f"it is damaged; remove it, and {ANEW}"
            )
    return jax.tree.unflatten(structure, [jnp.array(leaf) for leaf in leaves])
