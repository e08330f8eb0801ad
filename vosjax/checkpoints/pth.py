"""Reads PyTorch `.pth` files with NumPy alone, without running anything that is in them.

Formats: the zip archive of PyTorch 1.6 and later, and the stream of pickles before that. Both hold
a pickle of plain containers whose tensors point into storages (flat arrays of one type); see
`torch.serialization` and `torch._utils._rebuild_tensor_v2` for the reference.
"""

import io
import os
import pathlib
import struct
import zipfile
from typing import Any, NoReturn

import numpy as np

from vosjax.checkpoints import storages
from vosjax.checkpoints.unpickle import unpickle
from vosjax.errors import InputError

_MAGIC = 0x1950A86A20F9469CFC6C


def read_pth(path: str | os.PathLike[str]) -> Any:
    """The object that `torch.save` wrote: plain containers, with NumPy arrays for tensors.

        checkpoint = read_pth("aot_r50.pth")        # its weights: `wrappers.state_dict`

    Arrays keep their dtype (bfloat16 as ml_dtypes.bfloat16). They may share memory and need not be
    contiguous, as the tensors did.

    Raises:
        InputError: missing; neither of the two formats; damaged or truncated; a tensor that reaches
            beyond its storage; a global besides tensors' own and those of training frameworks that
            become an `unpickle.Inert` (it is named, and not imported): so whole pickled modules and
            malicious files are refused, and nothing is executed.
    """
    path = pathlib.Path(path)
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            start = file.read(4)
            file.seek(0)
            return (_read_zip if start == b"PK\x03\x04" else _read_stream)(file, size)
    except InputError as error:
        raise InputError(f"checkpoint {path} cannot be read: {error}") from error
    except OSError as error:
        raise InputError(
            f"checkpoint {path} cannot be read: {error.strerror}; name a PyTorch .pth file"
        ) from error


def _read_zip(file: io.BufferedReader, limit: int) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = {info.filename: info for info in archive.infolist()}
            pickles = [name for name in entries if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                count = f"{len(pickles)} files" if pickles else "no"
                raise InputError(
                    f"it is a zip file, but no PyTorch checkpoint: it has {count} data.pkl"
                )
            root = pickles[0].removesuffix("data.pkl")
            if sum(info.compress_size for info in archive.infolist()) > limit:
                raise InputError("its entries overlap: it is damaged or made to fill the memory")

            def entry(name: str, size: int | None = None) -> bytes:
                info = entries.get(name)
                if info is None:
                    raise InputError(f"{name[:100]} is missing in it: it is truncated or damaged")
                if info.compress_type != zipfile.ZIP_STORED:
                    raise InputError(
                        f"{name} is compressed in it, which PyTorch never does: save "
                        "it again with torch.save"
                    )
                if size is not None and info.file_size != size:
                    raise InputError(
                        f"{name} has {info.file_size} bytes instead of {size}: it is damaged"
                    )
                return archive.read(info)

            if root + "byteorder" in entries and entry(root + "byteorder").strip() != b"little":
                raise InputError("it was written on a big-endian machine: save it on another")
            loaded: dict[str, np.ndarray] = {}

            def load(pid: tuple[Any, ...]) -> np.ndarray:
                dtype, key, count = storages.storage_id(pid, limit)
                if key not in loaded:
                    data = entry(f"{root}data/{key}", count * dtype.itemsize)
                    # A bytearray's memory can be written, as that of any other array.
                    loaded[key] = np.frombuffer(bytearray(data), dtype)
                if loaded[key].dtype != dtype or len(loaded[key]) != count:
                    raise InputError(f"storage {key} has two types in it: it is damaged")
                return loaded[key]

            return unpickle(io.BytesIO(entry(pickles[0])), known=storages.tokens(limit), load=load)
    except InputError:
        raise
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
        struct.error,
    ) as error:
        raise InputError(f"the archive is damaged or truncated ({error})") from error


def _read_stream(file: io.BufferedReader, limit: int) -> Any:
    """The format before 1.6.

    Pickles of a magic number, the version, the system, the object and the storages' keys; then for
    every key an int64 number of elements and the values. The tensors come before their data, so
    they are made as views of storages that are filled at the end.
    """
    known, total = storages.tokens(limit), [0]
    loaded: dict[str, np.ndarray] = {}

    def load(pid: tuple[Any, ...]) -> np.ndarray:
        dtype, key, count = storages.storage_id(pid, limit)
        if key not in loaded:
            total[0] += count * dtype.itemsize
            if total[0] > limit:
                raise InputError("its storages are larger than the file: it is truncated")
            loaded[key] = np.zeros(count, dtype)
        storage = loaded[key]
        if storage.dtype != dtype or len(storage) != count:
            raise InputError(f"storage {key} has two types in it: it is damaged")
        if len(pid) > 5 and pid[5] is not None:  # a part of a storage: (key, offset, size)
            _, offset, size = pid[5]
            return storages.view(storage, offset, (size,), (1,), limit)
        return storage

    def nothing(pid: tuple[Any, ...]) -> NoReturn:
        raise InputError("it is damaged: a storage where none is expected")

    try:
        magic = unpickle(file, known={}, load=nothing)
    except InputError:
        magic = None
    if magic != _MAGIC:
        raise InputError(
            "it is neither a zip archive (PyTorch 1.6 and later) nor an older stream "
            "of pickles: it is damaged or no PyTorch file"
        )
    unpickle(file, known={}, load=nothing)  # the protocol's version, 1001 since ever
    system = unpickle(file, known={}, load=nothing)
    if not isinstance(system, dict) or not system.get("little_endian", False):
        raise InputError("it was written on a big-endian machine: save it on another")
    result = unpickle(file, known=known, load=load)
    keys = unpickle(file, known={}, load=nothing)
    if (
        not isinstance(keys, list)
        or not all(isinstance(key, str) for key in keys)
        or sorted(keys) != sorted(loaded)
    ):
        raise InputError("it is damaged: its list of storages does not agree with its tensors")
    for key in keys:
        storage = loaded[key]
        count = file.read(8)
        if len(count) != 8 or int.from_bytes(count, "little", signed=True) != len(storage):
            raise InputError(f"it is truncated or damaged at storage {key}")
        if file.readinto(storage.view(np.uint8).data) != storage.nbytes:
            raise InputError(f"it is truncated: storage {key} ends early")
    return result
