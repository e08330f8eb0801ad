"""A tracker's state outside its process: as arrays and plain numbers, and as one file of them."""

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
    """The state of a tracker at rest.

    network  pytree of numpy arrays, or a list of its leaves if read from a file; None without
             objects
    queued   uint8 [H, W], labels that wait for the next frame, or None
    books    the tracker's records and settings
    """

    network: Any
    queued: HostArray | None
    books: Books


def take(network: Any, queued: HostArray | None, books: Books) -> Snapshot:
    """Takes a snapshot that shares no memory with the tracker.

        snapshot = take(state, None, books)

    Args:
        network: the network's state, or None.
        queued: labels that wait for the next frame, or None.
        books: the tracker's records.
    """
    queued = None if queued is None else queued.copy()
    return Snapshot(jax.tree.map(np.array, network), queued, copy.deepcopy(books))


def save(path: str | os.PathLike[str], snapshot: Snapshot) -> None:
    """Writes a snapshot atomically as one uncompressed .npz file.

        save("tracker.npz", tracker.state)

    Args:
        path: the file to write.
        snapshot: the tracker's state.

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
    """Reads a file that `save` wrote.

        tracker = Tracker.restore(load("tracker.npz"), model)

    Args:
        path: the file.

    Raises:
        InputError: the file is missing or damaged, was not written by `save`, or was written by
            another version; the message says what to remove.
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
    """Raised for a file of another version."""


def _check_queued(queued: HostArray | None, books: Books) -> None:
    """Raises ValueError unless the labels that wait for a frame can be given with one."""
    if queued is None:
        return
    size = books.size or queued.shape
    if queued.dtype.kind not in "iub" or queued.ndim != 2 or queued.shape != tuple(size):
        raise ValueError(f"labels that wait are {queued.dtype} {list(queued.shape)}")


def check_weights(saved: str, present: str) -> None:
    """Raises InputError unless both sha256 digests are the same.

        check_weights(books.weights, model.card["sha256"])

    Args:
        saved: digest of the weights with which the state was made.
        present: digest of the model's weights.
    """
    if saved != present:
        raise InputError(
            f"the saved state belongs to weights {saved[:12]}..., the model has "
            f"{present[:12]}...: load the weights it was made with"
        )


def misfit() -> InputError:
    """Returns the error that refuses a state of another network or size.

    raise misfit()
    """
    return InputError(
        "the saved state does not fit the network: load the model and settings that it was made "
        "with"
    )


def fit(network: Any, shapes: Any) -> Any:
    """Puts the leaves of a saved network on the device, in the structure of `shapes`.

        state = fit(snapshot.network, jax.eval_shape(init, params))

    Args:
        network: a pytree or a list of its leaves.
        shapes: a pytree of the expected shapes and dtypes.

    Raises:
        InputError: the leaves belong to another network or size, or hold NaN.
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
