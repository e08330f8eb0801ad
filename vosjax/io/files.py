"""Writes files so that they are whole or absent, whenever the writing process is killed."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import secrets
from collections.abc import Iterable, Iterator

from vosjax.io.refusals import writing

LONGEST_NAME = 255  # bytes of a file name, on all common file systems

_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}\.tmp(?P<ending>\.[^.]+)?", re.DOTALL)
_ADDED = len(".") + len(".01234567.tmp")  # by how much a temporary name is longer
_LONGEST_ENDING = 16  # characters of an ending that can tell the format


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[pathlib.Path]:
    """Yields a temporary path that replaces `path` when the block ends without an error.

        with atomic("out/a.png") as temp:
            image.save(temp)

    The temporary file stands in the same folder. Its name starts with a dot and keeps the ending,
    since some writers choose the format by it; a name too long for the file system is shortened.
    Missing folders are created. After an error the temporary file is removed, and an older `path`
    stays as it was.

    A durable file also survives a power cut: its content reaches the disk before it gets its name,
    and its name before this function returns. Both together take about 15 ms (files of 4 kB on a
    busy virtual machine's disk: 0.3 to 5 ms without, 15 to 20 ms with it, 8 ms per file when `sync`
    is called for 200 at once). Code that writes one file per frame therefore passes False, and
    calls `sync` before it writes the file that records them as complete.

    Args:
        path: the file.
        durable: whether to wait for the disk.

    Raises:
        DiskFull: the disk is full.
        InputError: the folder cannot be created or written.
    """
    path = pathlib.Path(path)
    # A random part, not the process number: several machines may share the folder.
    stem, ending = _parts(path.name)
    temp = path.with_name(f".{_short(stem, ending)}.{secrets.token_hex(4)}.tmp{ending}")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temp
            if durable:
                sync([temp], folders=False)
            os.replace(temp, path)
            if durable:
                _sync_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):
                temp.unlink(missing_ok=True)


def sync(paths: Iterable[str | os.PathLike[str]], *, folders: bool = True) -> None:
    """Waits until files and their names are on the disk; files that no longer exist are skipped.

        sync([out / "masks" / "00000.png", out / "masks" / "00001.png"])

    Args:
        paths: the files.
        folders: whether to wait for their names, too.

    Raises:
        OSError: the disk could not store them.
    """
    files = [pathlib.Path(path) for path in paths]
    for path in files:
        try:
            with open(path, "r+b") as file:
                os.fsync(file.fileno())
        except FileNotFoundError:
            continue
    if folders:
        for folder in sorted({path.parent for path in files}):
            _sync_folder(folder)


def sync_all() -> None:
    """Waits until everything written on this machine is on its disks, on systems that can do this.

        sync_all()

    It is meant for thousands of files, before the file that records them as complete is written:
    `sync` would take some milliseconds for each.
    """
    if hasattr(os, "sync"):
        os.sync()


def _sync_folder(folder: pathlib.Path) -> None:
    # Some systems cannot open folders, and some file systems cannot sync them.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def fitted(name: str, ending: str) -> str:
    """Returns `name + ending`, shortened if it is longer than file systems allow.

        fitted("dog", ".json")      # 'dog.json'

    A digest of the whole name replaces the middle of a name that is too long, so that two names
    never become one.
    """
    return _shortened(name, LONGEST_NAME - len(os.fsencode(ending))) + ending


def _parts(name: str) -> tuple[str, str]:
    """Splits a file name into its stem and its ending; very long endings count to the stem."""
    ending = pathlib.PurePath(name).suffix
    if not ending or len(os.fsencode(ending)) > _LONGEST_ENDING:
        return name, ""
    return name[: -len(ending)], ending


def _short(stem: str, ending: str) -> str:
    """Returns the stem as it appears in temporary names."""
    return _shortened(stem, LONGEST_NAME - _ADDED - len(os.fsencode(ending)))


def _shortened(text: str, most: int) -> str:
    """Returns a text of at most `most` bytes: the beginning, and a digest of the whole."""
    data = os.fsencode(text)
    if len(data) <= most:
        return text
    mark = f"~{hashlib.sha256(data).hexdigest()[:8]}"
    return data[: most - len(mark)].decode("utf-8", "ignore") + mark


def is_temporary(path: str | os.PathLike[str]) -> bool:
    """Returns whether a file has one of the temporary names that `atomic` gives.

    is_temporary("out/.a.0123abcd.tmp.png")     # True
    """
    return _TEMPORARY.fullmatch(pathlib.Path(path).name) is not None


def sweep(folder: str | os.PathLike[str], *, stem: str | None = None) -> None:
    """Removes the temporary files that killed processes left in a folder.

        sweep("out/masks")

    Nobody may be writing to the folder (or, with `stem`, to that file): the caller holds the lock
    under which they are written (`vosjax.io.lock`).

    Args:
        folder: the folder, which may be missing.
        stem: name, without its ending, of the only file whose temporary files are removed; None for
            all files.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in list(pathlib.Path(folder).iterdir()):
            match = _TEMPORARY.fullmatch(path.name)
            if match and (stem is None or match["stem"] == _short(stem, match["ending"] or "")):
                path.unlink(missing_ok=True)


def write_bytes(
    path: str | os.PathLike[str], data: bytes | memoryview, *, durable: bool = True
) -> None:
    """Writes `data` to `path` atomically; arguments and errors are those of `atomic`.

    write_bytes("out/a.bin", b"whole")
    """
    with atomic(path, durable=durable) as temp, open(temp, "wb") as file:
        file.write(data)


def write_json(path: str | os.PathLike[str], obj: object) -> None:
    """Writes `obj` to `path` atomically as readable JSON; errors are those of `atomic`.

        write_json("out/a.json", {"frames": 24})

    File names that are not UTF-8 (in Python, text with lone surrogates) are written with JSON's
    escapes, so that reading restores the exact name.
    """
    text = json.dumps(obj, indent=2, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"))
