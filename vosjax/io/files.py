"""Files that are whole or absent, whenever the process that writes them is killed."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import secrets
from collections.abc import Iterable, Iterator

from vosjax.io.refusals import writing

LONGEST_NAME = 255  # bytes of a file name, of all common file systems

_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}\.tmp(?P<ending>\.[^.]+)?", re.DOTALL)
_ADDED = len(".") + len(".01234567.tmp")  # what a temporary name is longer by
_LONGEST_ENDING = 16  # characters of what counts as an ending that tells the format


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, which replaces it when the block ends without error.

        with atomic("out/a.png") as temp:
            image.save(temp)

    The temporary name starts with a dot and keeps the ending, as some writers choose the format by
    it; it is shortened where the file system would not take it. Missing folders are made. On an
    error the temporary file is removed, and an older `path` stays as it was.

    A durable file also survives a power cut: its content reaches the disk before it gets its name,
    and the name before this returns. Both together take some 15 ms (files of 4 kB on a busy virtual
    machine's disk: 0.3 to 5 ms without, 15 to 20 ms with it, 8 ms a file where `sync` is called for
    200 at once). So whoever writes a file for each frame passes False, and calls `sync` before
    writing the file that says that they are there.

    Args:
        path: the file.
        durable: whether to wait for the disk.

    Raises:
        DiskFull: the disk is full.
        InputError: the folder cannot be made or written.
    """
    path = pathlib.Path(path)
    # Not the process's number: processes of several machines may share the folder.
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
    """Waits until files, and their names in their folders, are on the disk; lost ones are left out.

        sync([out / "masks" / "00000.png", out / "masks" / "00001.png"])

    Args:
        paths: of files.
        folders: whether to wait for their names too.

    Raises:
        OSError: the disk could not take them.
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
    """Waits until everything that was written on this machine is on its disks, where that exists.

    For thousands of files at once, before the one that says that they are complete: `sync` would
    take some milliseconds for each.
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
    """`name + ending`, shortened where it is longer than a file system takes.

        fitted("dog", ".json")      # dog.json

    The middle of a name that is too long gives way to a digest of the whole, so that two names
    never become one.
    """
    return _shortened(name, LONGEST_NAME - len(os.fsencode(ending))) + ending


def _parts(name: str) -> tuple[str, str]:
    """A file name's stem and the ending that tells its format; very long endings are none."""
    ending = pathlib.PurePath(name).suffix
    if not ending or len(os.fsencode(ending)) > _LONGEST_ENDING:
        return name, ""
    return name[: -len(ending)], ending


def _short(stem: str, ending: str) -> str:
    """The stem as it stands in temporary names."""
    return _shortened(stem, LONGEST_NAME - _ADDED - len(os.fsencode(ending)))


def _shortened(text: str, most: int) -> str:
    """At most so many bytes of a text: its beginning and a digest of all of it."""
    data = os.fsencode(text)
    if len(data) <= most:
        return text
    mark = f"~{hashlib.sha256(data).hexdigest()[:8]}"
    return data[: most - len(mark)].decode("utf-8", "ignore") + mark


def is_temporary(path: str | os.PathLike[str]) -> bool:
    """Whether a file bears one of the names under which `atomic` has files written.

    is_temporary("out/.a.0123abcd.tmp.png")     # True
    """
    return _TEMPORARY.fullmatch(pathlib.Path(path).name) is not None


def sweep(folder: str | os.PathLike[str], *, stem: str | None = None) -> None:
    """Removes the temporary files that killed writers left in a folder, if there is one.

    Only for folders (or with `stem`, files of that name without its ending) that nobody writes:
    whoever sweeps holds the lock (`vosjax.io.lock`) under which they are written.

        sweep("out/masks")

    Args:
        folder: that may be missing.
        stem: of the one file whose temporary ones are removed; None: of all.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in list(pathlib.Path(folder).iterdir()):
            match = _TEMPORARY.fullmatch(path.name)
            if match and (stem is None or match["stem"] == _short(stem, match["ending"] or "")):
                path.unlink(missing_ok=True)


def write_bytes(
    path: str | os.PathLike[str], data: bytes | memoryview, *, durable: bool = True
) -> None:
    """Writes `data` to `path` atomically; arguments and errors as of `atomic`.

    write_bytes("out/a.bin", b"whole")
    """
    with atomic(path, durable=durable) as temp, open(temp, "wb") as file:
        file.write(data)


def write_json(path: str | os.PathLike[str], obj: object) -> None:
    """Writes `obj` as readable JSON to `path` atomically; errors as `atomic`.

        write_json("out/a.json", {"frames": 24})

    File names that are no UTF-8 (lone surrogates in Python) are written as JSON's own escapes, so
    that reading gives back the very name.
    """
    text = json.dumps(obj, indent=2, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"))
