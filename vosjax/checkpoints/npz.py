"""Reads `.npz` files that a stranger may have made: no pickles, memory bounded by the file."""

import math
import os
import pathlib
import zipfile
from typing import Any, BinaryIO

import numpy as np

from vosjax.errors import InputError

RATIO = 64  # an array may be so many times larger than its file, because of compression


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the arrays of an .npz file.

        arrays = read_npz("encoder.npz")

    Args:
        path: a file written by `np.savez` or `np.savez_compressed`.

    Returns:
        {name: array}.

    Raises:
        InputError: the file cannot be read, is of another kind, is damaged, has objects instead of
            numbers, or claims far more bytes than it has. The message does not name the file.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise InputError("it is empty (0 bytes)")
            with zipfile.ZipFile(file) as archive:
                return _arrays(archive, size)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror or error})") from error
    except Exception as error:  # zipfile and NumPy raise a dozen kinds of errors for damaged files
        raise InputError(
            f"it is no .npz file of arrays, or damaged ({type(error).__name__}: {error})"
        ) from error


def _arrays(archive: zipfile.ZipFile, size: int) -> dict[str, np.ndarray]:
    entries = archive.infolist()
    if sum(entry.compress_size for entry in entries) > size:
        raise InputError("its entries overlap: it is damaged or made to fill the memory")
    claimed = sum(entry.file_size for entry in entries)
    if claimed > RATIO * size:
        raise InputError(f"its {size:,} bytes claim to hold {claimed:,}: that is refused")
    arrays = {}
    for entry in entries:
        with archive.open(entry) as member:
            _check_header(member, entry)
        with archive.open(entry) as member:
            name = pathlib.PurePosixPath(entry.filename)
            if name.suffix != ".npy":
                raise InputError(f"it holds {entry.filename!r}, which is no array")
            array = np.lib.format.read_array(member, allow_pickle=False)
            if member.read(1):
                raise InputError(f"{entry.filename!r} in it is longer than its array")
        arrays[entry.filename.removesuffix(".npy")] = array
    return arrays


def _check_header(member: BinaryIO | Any, entry: zipfile.ZipInfo) -> None:
    """Raises InputError if an array's header claims more than its entry holds."""
    version = np.lib.format.read_magic(member)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise InputError(f"{entry.filename!r} in it is of NumPy's format {version}")
    shape, _, dtype = readers[version](member)
    if dtype.hasobject:
        raise InputError(f"{entry.filename!r} in it holds objects; numbers are expected")
    if math.prod(shape) * dtype.itemsize > entry.file_size:
        raise InputError(f"{entry.filename!r} in it claims {list(shape)} {dtype}: it is truncated")
