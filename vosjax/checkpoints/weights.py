"""The one format for weights: `weights.safetensors` with a `card.json` that says what they are."""

import hashlib
import json
import pathlib
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from vosjax.errors import InputError
from vosjax.io.files import disk_full, write_bytes, write_json

FORMAT = 1  # of the folder; raised when older readers could misunderstand it
WEIGHTS, CARD = "weights.safetensors", "card.json"
CARD_KEYS = ("family", "config", "source", "licence")
MOST = 10  # tensors that an error lists of each sort

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


def flatten(params) -> dict:
    """Nested dicts -> {'a/b/c': array}, in the order of the dicts.

    Raises:
        ValueError: a name that is no string or holds a '/', or an empty dict.
    """
    flat = {}

    def walk(tree, path):
        if path and not tree:
            raise ValueError(
                f"params: {'/'.join(path)} is an empty dict; it has no place in a "
                "weights file, leave it out"
            )
        for name, value in tree.items():
            if not isinstance(name, str) or "/" in name or not name:
                raise ValueError(f"params: names must be strings without '/', got {name!r}")
            if isinstance(value, dict):
                walk(value, (*path, name))
            else:
                flat["/".join((*path, name))] = value

    walk(params, ())
    return flat


def nest(flat: dict) -> dict:
    """{'a/b/c': array} -> nested dicts, the inverse of `flatten`.

    Raises:
        ValueError: a path that is both an array and a folder of arrays.
    """
    params: dict[str, Any] = {}
    for path, value in flat.items():
        *folders, name = path.split("/")
        tree = params
        for folder in folders:
            tree = tree.setdefault(folder, {})
            if not isinstance(tree, dict):
                raise ValueError(f"params: {path} lies under an array")
        if name in tree:
            raise ValueError(f"params: {path} is both an array and a folder")
        tree[name] = value
    return params


def save_weights(folder, params, *, card: dict) -> dict:
    """Writes the weights and their card, each atomically, the card last.

    Args:
        folder: is made when it is missing.
        params: nested dicts of arrays; dtypes are kept (float16 and bfloat16 too).
        card: family, config (any JSON), source, licence and whatever else is worth knowing.

    Returns:
        The card as written: with `format` and `sha256` (of the weights file) added.

    Raises:
        ValueError: a card without one of its keys; params that are no arrays.
        DiskFull: the disk is full.
    """
    absent = [key for key in CARD_KEYS if key not in card]
    if absent:
        raise ValueError(f"card: {', '.join(absent)} missing; it needs {', '.join(CARD_KEYS)}")
    arrays = {}
    for path, value in flatten(params).items():
        # The serializer copies memory as it lies, so the order has to be C.
        arrays[path] = np.asarray(value, order="C")
        if arrays[path].dtype not in _DTYPES.values():
            raise ValueError(f"params: {path} is {arrays[path].dtype}, which cannot be stored")
    data = safetensors.numpy.save(arrays)
    card = {**card, "format": FORMAT, "sha256": hashlib.sha256(data).hexdigest()}
    folder = pathlib.Path(folder)
    with disk_full(folder):
        write_bytes(folder / WEIGHTS, data)
        write_json(folder / CARD, card)
    return card


def load_weights(folder) -> tuple[dict, dict]:
    """Reads what `save_weights` wrote.

    Returns:
        (params, card): nested dicts of numpy arrays, and the card.

    Raises:
        InputError: a missing or damaged file, a card of another format or without its keys, or
            weights that are not the card's (sha256).
    """
    folder = pathlib.Path(folder)
    card = _read_card(folder / CARD)
    data = _read(folder / WEIGHTS)
    digest = hashlib.sha256(data).hexdigest()
    if digest != card["sha256"]:
        raise InputError(
            f"{folder / WEIGHTS} has sha256 {digest[:12]}..., its card says "
            f"{str(card['sha256'])[:12]}...: it is damaged or belongs to another "
            "card; copy both files again"
        )
    try:
        tensors = safetensors.deserialize(data)
        flat = {
            path: np.frombuffer(t["data"], _DTYPES[t["dtype"]]).reshape(t["shape"])
            for path, t in tensors
        }
        return nest(flat), card
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise InputError(
            f"{folder / WEIGHTS} cannot be read ({error}): it is no safetensors file "
            "of ours; convert or save the weights again"
        ) from error


def check_params(params, expected: dict):
    """Raises one InputError that names every missing, extra or misshapen tensor.

    Args:
        params: nested dicts of arrays, or flat ones with '/'-joined paths.
        expected: {path: (shape, dtype)}. Any floating dtype will do for another, as half-precision
            files are widened by their reader; integers and booleans have to agree.
    """
    flat = params if any("/" in name for name in params) else flatten(params)
    complain(
        "the weights do not fit the network",
        {p: (np.shape(a), a.dtype) for p, a in flat.items()},
        expected,
    )


def complain(what: str, found: dict, expected: dict, *, notes=()):
    """Raises InputError with all differences of two {path: (shape, dtype)}; nothing if none.

    `notes` are further complaints, as (sort, [names]).
    """
    wrong = [
        f"{path} ({_form(*found[path])} instead of {_form(*expected[path])})"
        for path in sorted(found.keys() & expected.keys())
        if not _fits(found[path], expected[path])
    ]
    sorts = [
        ("missing", sorted(expected.keys() - found.keys())),
        ("not expected", sorted(found.keys() - expected.keys())),
        ("of another shape or type", wrong),
        *notes,
    ]
    parts = [
        f"{len(names)} {sort}: {', '.join(names[:MOST])}"
        + (f" and {len(names) - MOST} more" if len(names) > MOST else "")
        for sort, names in sorts
        if names
    ]
    if parts:
        raise InputError(
            f"{what}: {'; '.join(parts)}. Use the config that the weights were made with"
        )


def _fits(found, expected) -> bool:
    (shape, dtype), (wanted, wanted_dtype) = found, expected
    if tuple(shape) != tuple(wanted):
        return False
    return np.dtype(dtype) == np.dtype(wanted_dtype) or (
        _floating(dtype) and _floating(wanted_dtype)
    )


def _floating(dtype) -> bool:
    return np.dtype(dtype).kind == "f" or np.dtype(dtype) == ml_dtypes.bfloat16


def _form(shape, dtype) -> str:
    return f"{np.dtype(dtype)} {list(shape)}"


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): a folder with {WEIGHTS} and "
            f"{CARD} is expected"
        ) from error


def _read_card(path: pathlib.Path) -> dict:
    try:
        card = json.loads(_read(path))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): copy it again") from error
    keys = (*CARD_KEYS, "format", "sha256")
    if not isinstance(card, dict) or any(key not in card for key in keys):
        raise InputError(f"{path} is no card of weights: {', '.join(keys)} are expected in it")
    if card["format"] != FORMAT:
        raise InputError(
            f"{path} has format {card['format']}, this version reads format {FORMAT}: "
            "update vosjax or convert the weights again"
        )
    return card
