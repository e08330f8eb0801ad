"""Digests of what a run was given and of what it made: sha256 over content, never over times.

A file can be replaced by another of the same name, size and time, so that only its content tells
whether it is the same. Reading it costs little beside segmenting it: sha256 takes 0.2 to 2 GB a
second, an hour of video is some GB, and its frames take a network hours.
"""

import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vosjax.errors import InputError
from vosjax.io.names import printable
from vosjax.io.refusals import reading

BLOCK = 1 << 20  # bytes that are read at a time


def of_file(
    path: str | os.PathLike[str], *, progress: Callable[[int], Any] = lambda count: None
) -> str:
    """sha256 of a file's content, read in blocks.

        of_file("dog.mp4")      # '9f86d081884c7d65...'

    Args:
      path: of the file.
      progress: called with the bytes of each block that was read.

    Raises:
      InputError: it is missing, or may not or cannot be read.
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
    """sha256 of bytes.

    of_bytes(b"")       # 'e3b0c44298fc1c14...'
    """
    return hashlib.sha256(data).hexdigest()


def of_files(
    paths: Iterable[str | os.PathLike[str]], *, progress: Callable[[int], Any] = lambda count: None
) -> str | None:
    """One digest of files: of the content of a single one, of names and contents of several.

        of_files(open_video("frames/").files)

    Args:
      paths: in an order that counts; none gives None, as of a camera.
      progress: as for `of_file`.

    Raises:
      InputError: one of them may not or cannot be read.
    """
    files = [pathlib.Path(path) for path in paths]
    if len(files) < 2:
        return of_file(files[0], progress=progress) if files else None
    return of_parts((file.name, of_file(file, progress=progress)) for file in files)


def of_parts(parts: Iterable[tuple[str, str]]) -> str:
    """One digest of (name, digest) pairs in their order.

    of_parts([("00000.jpg", "9f86..."), ("00001.jpg", "60303...")])
    """
    total = hashlib.sha256()
    for name, part in parts:
        total.update(os.fsencode(name) + b"\0" + part.encode() + b"\n")
    return total.hexdigest()


def of_labels(arrays: Mapping[int, Any]) -> str:
    """sha256 over {frame: label map}: the same for the same labels in any kind of file.

    of_labels({0: np.zeros((480, 854), np.uint8)})
    """
    total = hashlib.sha256()
    for frame in sorted(arrays):
        total.update(f"{frame} {arrays[frame].shape} {arrays[frame].dtype}".encode())
        total.update(arrays[frame].tobytes())
    return total.hexdigest()
