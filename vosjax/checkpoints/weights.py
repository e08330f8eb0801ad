"""The project's format for weights: `weights.safetensors` with a `card.json` that describes them.

The two are replaced as one, although no file system renames two files at once. New weights are
written under a name with their own digest, `weights-SHA.safetensors`. The atomic rename of the new
card is the switch, since a reader takes the file whose sha256 is in the card. A third rename gives
the weights the name that other tools expect. If a process is killed anywhere in between, the folder
holds the old weights or the new ones, and the next save tidies it up.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from vosjax.checkpoints.card import ARRAYS, CARD_KEYS, FORMAT, read_card
from vosjax.checkpoints.checks import array_digest, check_finite, listed
from vosjax.checkpoints.paths import flatten, nest
from vosjax.errors import InputError
from vosjax.io.files import is_temporary, write_bytes, write_json
from vosjax.io.refusals import disk_full

WEIGHTS, CARD = "weights.safetensors", "card.json"
DIGITS = 16  # digits of an array's sha256 that the card keeps

_WAITING = re.compile(r"weights-[0-9a-f]{64}\.safetensors")  # weights not yet in their place

_DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
}


def save_weights(
    folder: str | os.PathLike[str], params: Mapping[str, Any], *, card: Mapping[str, Any]
) -> dict[str, Any]:
    """Writes weights and their card, which replace older ones together.

        card = dict(family="aot", config={}, source="my photos", licence="Apache-2.0")
        card = save_weights("weights/mine", params, card=card)

    Args:
        folder: the folder; a missing one is created.
        params: nested dicts of arrays; dtypes are kept (float16 and bfloat16, too).
        card: family, config (a dict), source, licence and anything else worth knowing.

    Returns:
        The card, with `format` and `sha256` (of the weights file) added. The card in the file also
        has a digest of every array.

    Raises:
        ValueError: the card lacks one of its keys, or params are not arrays.
        InputError: weights are NaN or infinite, or the folder cannot be written.
        DiskFull: the disk is full; older weights stay as they were.
    """
    absent = [key for key in CARD_KEYS if key not in card]
    if absent:
        raise ValueError(f"card: {', '.join(absent)} missing; it needs {', '.join(CARD_KEYS)}")
    arrays = {}
    for path, value in flatten(params).items():
        # The serializer copies the memory as it is, so the order has to be C.
        arrays[path] = np.asarray(value, order="C")
        if arrays[path].dtype not in _DTYPES.values():
            raise ValueError(f"params: {path} is {arrays[path].dtype}, which cannot be stored")
    check_finite(arrays, f"weights for {folder}")
    data = safetensors.numpy.save(arrays)
    card = {**card, "format": FORMAT, "sha256": hashlib.sha256(data).hexdigest()}
    digests = _digests(arrays)
    folder = pathlib.Path(folder)
    with disk_full(folder), _alone(folder):
        _replace(folder, data, card | {ARRAYS: digests})
    return card


def load_weights(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads what `save_weights` wrote.

        params, card = load_weights("weights/aot_r50")

    Returns:
        (params, card): nested dicts of NumPy arrays, and the card.

    Raises:
        InputError: a file is missing or damaged; the card has another format or impossible fields;
            the weights are not those of the card (sha256), or are NaN or infinite.
    """
    folder = pathlib.Path(folder)
    path = folder / WEIGHTS
    card = read_card(folder / CARD, _read(folder / CARD))
    data = _weights_of(folder, card)
    if data is None:  # the weights may have been replaced after the card was read
        card = read_card(folder / CARD, _read(folder / CARD))
        data = _weights_of(folder, card)
    digests = card.pop(ARRAYS, None) or {}
    if data is None:
        raise InputError(_stranger(path, card, digests))
    flat = _arrays(path, data)
    check_finite(flat, str(path))
    try:
        return nest(flat), card
    except ValueError as error:
        raise InputError(f"{path} cannot be read ({error}): it is no file of ours") from error


def _replace(folder: pathlib.Path, data: bytes, card: dict[str, Any]) -> None:
    """Does the three renames, and removes what killed processes left."""
    waiting = _waiting(folder, card)
    try:
        write_bytes(waiting, data)
        write_json(folder / CARD, card)
        os.replace(waiting, folder / WEIGHTS)
    except BaseException:
        if not _is_of(folder, card):  # the older pair is still valid
            waiting.unlink(missing_ok=True)
        raise
    for path in folder.iterdir():
        torn = is_temporary(path) and path.name.startswith((".weights", ".card."))
        if torn or _WAITING.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _waiting(folder: pathlib.Path, card: dict[str, Any]) -> pathlib.Path:
    """Returns where a card's weights wait until they get their final name."""
    return folder / f"weights-{card['sha256']}.safetensors"


def _is_of(folder: pathlib.Path, card: dict[str, Any]) -> bool:
    """Returns whether the card in a folder is this one."""
    try:
        present = read_card(folder / CARD, (folder / CARD).read_bytes())
    except (OSError, InputError):
        return False
    return present["sha256"] == card["sha256"]


@contextlib.contextmanager
def _alone(folder: pathlib.Path) -> Iterator[None]:
    """Waits until no other process writes weights to the folder; a missing folder is created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InputError(
            f"weights cannot be written to {folder} ({error.strerror}): name a folder that can"
        ) from error
    try:
        with contextlib.suppress(OSError):  # some file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _weights_of(folder: pathlib.Path, card: dict[str, Any]) -> bytes | None:
    """Returns the content of the file that a card describes, or None if there is none."""
    waiting = _waiting(folder, card)
    if waiting.is_file() and not (folder / WEIGHTS).is_file():
        data = _read(waiting)
    else:
        data = _read(folder / WEIGHTS)
    if hashlib.sha256(data).hexdigest() == card["sha256"]:
        return data
    if waiting.is_file():
        data = _read(waiting)
        if hashlib.sha256(data).hexdigest() == card["sha256"]:
            return data
    return None


def _arrays(path: pathlib.Path, data: bytes) -> dict[str, np.ndarray]:
    """Returns {path: array} of a weights file's content."""
    try:
        return {
            name: np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
            for name, tensor in safetensors.deserialize(data)
        }
    except (
        safetensors.SafetensorError,
        LookupError,
        ValueError,
        TypeError,
        OverflowError,
    ) as error:
        raise InputError(
            f"{path} cannot be read ({error}): it is no safetensors file of ours; convert or save "
            "the weights again"
        ) from error


def _stranger(path: pathlib.Path, card: dict[str, Any], digests: dict[str, str]) -> str:
    """Words the error for weights that are not those of their card."""
    data = _read(path)
    try:
        digested = _digests(_arrays(path, data))
    except InputError:
        digested = {}
    changed = [name for name, digest in digested.items() if digests.get(name, digest) != digest]
    where = f" (what differs: {listed(changed)})" if changed else ""
    return (
        f"{path} has sha256 {hashlib.sha256(data).hexdigest()[:12]}..., its card says "
        f"{card['sha256'][:12]}...{where}: it is damaged or belongs to another card; copy both "
        "files again"
    )


def _digests(arrays: dict[str, np.ndarray]) -> dict[str, str]:
    """Returns {path: the first digits of an array's digest}, as cards keep them."""
    return {path: array_digest(array)[:DIGITS] for path, array in arrays.items()}


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): a folder with {WEIGHTS} and "
            f"{CARD} is expected"
        ) from error
