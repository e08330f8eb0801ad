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

from vosjax.errors import InputError
from vosjax.io.files import reading, write_bytes
from vosjax.tracking.slots import IDS, HostArray, MemoryCounters, ObjectSlots

FORMAT = 2  # 1 did not say which annotated frame stands for which object


@dataclasses.dataclass
class Books:
    """What a tracker knows besides arrays; as JSON it is `dataclasses.asdict` of this.

    weights         sha256 of the network's
    mem_every       frames from one remembered frame to the next
    max_mem_frames  most memory frames
    max_short_side  most pixels of the short side that the network sees, or None
    size            (H, W) of the user's frames; None before the first one
    time            index of the next frame
    objects         which object is in which slot
    memory          what the memory holds
    """

    weights: str
    mem_every: int
    max_mem_frames: int
    max_short_side: int | None
    size: tuple[int, int] | None
    time: int
    objects: ObjectSlots
    memory: MemoryCounters


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
    head = {
        "format": FORMAT,
        "books": dataclasses.asdict(snapshot.books),
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
      InputError: no such file, not one of ours, or one of another version.
    """
    path = pathlib.Path(path)
    try:
        with reading(path), np.load(path, allow_pickle=False) as file:
            head = json.loads(file["head"].tobytes())
            if head["format"] != FORMAT:
                raise InputError(
                    f"{path} was saved by another version (format {head['format']}, this one "
                    f"reads {FORMAT}): step a new Tracker through the video from its first frame"
                )
            arrays = [
                np.frombuffer(file[f"leaf{i}"].tobytes(), jnp.dtype(name)).reshape(shape)
                for i, (name, shape) in enumerate(head["forms"])
            ]
        queued = arrays.pop() if head["queued"] else None
        return Snapshot(arrays, queued, _books(head["books"]))
    except InputError:
        raise
    except Exception as error:  # of damaged archives readers raise whatever they stumble over
        raise InputError(
            f"{path} is no saved tracker ({error}), it is missing or damaged: step a new Tracker "
            "through the video from its first frame"
        ) from error


def _books(fields: dict[str, Any]) -> Books:
    """Books from JSON.

    Raises:
      ValueError, TypeError, LookupError: they cannot be a tracker's.
    """
    objects, memory = ObjectSlots(**fields["objects"]), MemoryCounters(**fields["memory"])
    memory.annotated = {int(time): slots for time, slots in memory.annotated.items()}
    size = None if fields["size"] is None else tuple(fields["size"])
    books = Books(**fields | {"objects": objects, "memory": memory, "size": size})
    followed, slots = [id for id in objects.ids if id], range(1, objects.count + 1)
    sound = (
        objects.group >= 1
        and objects.count % objects.group == 0
        and len(objects.ids) == len(objects.first) == len(objects.last)
        and len(set(followed)) == len(followed)
        and all(0 <= id < IDS for id in objects.ids)
        and 0 <= objects.used <= objects.count
        and set(objects.freed) <= set(slots)
        and min(books.mem_every, books.max_mem_frames, memory.capacity) >= 1
        and min(books.time, memory.filled) >= 0
        and len(memory.annotated) <= memory.capacity
        and (size is not None or not followed)
    )
    if not sound:
        raise ValueError("its numbers contradict each other")
    return books


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
      InputError: they are of another network or size.
    """
    expected, structure = jax.tree.flatten(shapes)
    leaves = jax.tree.leaves(network)
    forms = [[(leaf.shape, np.dtype(leaf.dtype)) for leaf in side] for side in (leaves, expected)]
    if forms[0] != forms[1]:
        raise misfit()
    return jax.tree.unflatten(structure, [jnp.array(leaf) for leaf in leaves])
