"""Digests of what a run was given and of what it made: sha256 of the content, never of times.

A file can be replaced by another of the same name, size and time, so only its content tells whether
it is the same. Reading it costs little compared with segmenting it: sha256 takes 0.2 to 2 GB a
second, an hour of video is a few GB, and a network takes hours for its frames.
"""

import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vosjax.errors import InputError
from vosjax.io.names import printable
from vosjax.io.refusals import reading

BLOCK = 1 << 20  # bytes read at a time


def of_file(
    path: str | os.PathLike[str], *, progress: Callable[[int], Any] = lambda count: None
) -> str:
    """Returns the sha256 of a file's content, which is read in blocks.

        of_file("dog.mp4")      # '9f86d081884c7d65...'

    Args:
        path: the file.
        progress: is called with the number of bytes of each block that was read.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    name, total = printable(path), hashlib.sha256()
    try:
        with reading(name), open(path, "rb") as file:
            while block := file.read(BLOCK):
                total.update(block)
                progress(len(block))
            return total.hexdigest()
    except FileNotFoundError as error:
        raise InputError(f"{name} is missing: check the path") from error


def of_bytes(data: bytes) -> str:
    """Returns the sha256 of bytes.

    of_bytes(b"")       # 'e3b0c44298fc1c14...'
    """
    return hashlib.sha256(data).hexdigest()


def of_files(
    paths: Iterable[str | os.PathLike[str]], *, progress: Callable[[int], Any] = lambda count: None
) -> str | None:
    """Returns one digest of several files, from their names and contents in order.

        of_files(open_video("frames/").files)

    Args:
        paths: the files; a single one gives the digest of its content alone, and none gives None,
            as for a camera.
        progress: as for `of_file`.

    Raises:
        InputError: a file cannot be read.
    """
    files = [pathlib.Path(path) for path in paths]
    if len(files) < 2:
        return of_file(files[0], progress=progress) if files else None
    return of_parts((file.name, of_file(file, progress=progress)) for file in files)


def of_parts(parts: Iterable[tuple[str, str]]) -> str:
    """Returns one digest of (name, digest) pairs in their order.

    of_parts([("00000.jpg", "9f86..."), ("00001.jpg", "60303...")])
    """
    total = hashlib.sha256()
    for name, part in parts:
        total.update(os.fsencode(name) + b"\0" + part.encode() + b"\n")
    return total.hexdigest()


def of_labels(arrays: Mapping[int, Any]) -> str:
    """Returns the sha256 of {frame: label map}, whatever kind of file they are stored in.

    of_labels({0: np.zeros((480, 854), np.uint8)})
    """
    total = hashlib.sha256()
    for frame in sorted(arrays):
        total.update(f"{frame} {arrays[frame].shape} {arrays[frame].dtype}".encode())
        total.update(arrays[frame].tobytes())
    return total.hexdigest()
