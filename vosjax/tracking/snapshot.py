"""A tracker's state outside of it: a pytree of numpy arrays, and one file of it."""

import io
import json
import pathlib
import zipfile
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.errors import InputError
from vosjax.io.files import write_bytes

FORMAT = 1


class Snapshot(NamedTuple):
    """network: pytree of numpy arrays (None without an object); counters: plain numbers and ids."""

    network: Any
    counters: dict


def save(path, state: Snapshot) -> None:
    """Writes a snapshot as one uncompressed .npz, atomically.

    Raises:
      DiskFull: the disk is full.
    """
    leaves = jax.tree.leaves(state.network)
    forms = [[leaf.dtype.name, list(leaf.shape)] for leaf in leaves]
    head = json.dumps({"format": FORMAT, "counters": state.counters, "forms": forms})
    buffer = io.BytesIO()
    # Raw bytes: numpy's own format knows no bfloat16.
    np.savez(
        buffer,
        head=np.frombuffer(head.encode(), np.uint8),
        **{f"leaf{i}": np.frombuffer(leaf.tobytes(), np.uint8) for i, leaf in enumerate(leaves)},
    )
    write_bytes(path, buffer.getbuffer())


def load(path) -> Snapshot:
    """Reads what `save` wrote; `network` comes as the list of its leaves.

    Raises:
      InputError: no such file, or not one of ours.
    """
    path = pathlib.Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            head = json.loads(file["head"].tobytes())
            if head["format"] != FORMAT:
                raise InputError(
                    f"{path} has format {head['format']}, this version reads {FORMAT}: "
                    "start the video anew"
                )
            leaves = [
                np.frombuffer(file[f"leaf{i}"].tobytes(), jnp.dtype(name)).reshape(shape)
                for i, (name, shape) in enumerate(head["forms"])
            ]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is no saved tracker ({error}): it is missing or damaged, start the video anew"
        ) from error
    return Snapshot(leaves, head["counters"])


def check_weights(saved: str, present: str) -> None:
    """Raises InputError unless both sha256 are the same."""
    if saved != present:
        raise InputError(
            f"the saved state belongs to weights {saved[:12]}..., the model has "
            f"{present[:12]}...: load the weights it was made with"
        )


def fit(network: Any, shapes: Any) -> Any:
    """The leaves of `network` on the device, in the structure and with the shapes of `shapes`.

    Raises:
      InputError: they are of another network or size.
    """
    wanted, structure = jax.tree.flatten(shapes)
    leaves = jax.tree.leaves(network)
    forms = [[(leaf.shape, np.dtype(leaf.dtype)) for leaf in side] for side in (leaves, wanted)]
    if forms[0] != forms[1]:
        raise InputError(
            "the saved state does not fit the network: load the model and settings "
            "that it was made with"
        )
    return jax.tree.unflatten(structure, [jnp.array(leaf) for leaf in leaves])
