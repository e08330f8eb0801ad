"""Places for what is exported: checked before work begins, and filled at once when it is done."""

import contextlib
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Iterator

from vosjax.errors import InputError
from vosjax.io.files import atomic, fitted, is_temporary
from vosjax.io.lock import locked
from vosjax.io.names import printable, some
from vosjax.io.refusals import reading, writing

REPLACED = ".old"  # part of the name of an earlier export that is about to be removed
REPLACE = "name another place, or replace it by --overwrite (in Python overwrite=True)"


def check_file(path: pathlib.Path, suffix: str, *, overwrite: bool) -> None:
    """Checks that a file may be written.

        check_file(pathlib.Path("new.json"), ".json", overwrite=False)

    Raises:
        InputError: it has another ending, is a folder, or is there already.
    """
    if path.suffix.lower() != suffix:
        raise InputError(
            f"{printable(path)} is to be written: the name of a {suffix} file is expected"
        )
    if path.is_dir():
        raise InputError(f"{printable(path)} is a folder: the name of a {suffix} file is expected")
    if os.path.lexists(path) and not overwrite:
        raise InputError(f"{printable(path)} is there already: {REPLACE}")


def check_folder(path: pathlib.Path, endings: tuple[str, ...], *, overwrite: bool) -> None:
    """Checks that a folder may be made, or be replaced.

        check_folder(pathlib.Path("new"), (".png",), overwrite=False)

    Args:
        path: the folder.
        endings: those of the files that such a folder holds; one that holds others is never
            replaced.
        overwrite: whether a folder that is there is replaced.

    Raises:
        InputError: it is a file, is there already, or holds other files than those of an export.
    """
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise InputError(f"{printable(path)} is a file: the name of a new folder is expected")
    with reading(path):
        files = [file for file in path.rglob("*") if not file.is_dir() and not is_temporary(file)]
        empty = not any(path.iterdir())
    if empty:
        return
    if not overwrite:
        raise InputError(f"{printable(path)} is there already, with files in it: {REPLACE}")
    others = [file.name for file in files if file.suffix.lower() not in endings]
    if others:
        raise InputError(
            f"{printable(path)} holds other files ({some(others)}), which no export made: name "
            "another folder"
        )


@contextlib.contextmanager
def new_file(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary file that gets its name when the block ends without an error.

    with new_file(pathlib.Path("new.json")) as temp:
        temp.write_text("{}")
    """
    with atomic(path) as temp:
        yield temp


@contextlib.contextmanager
def new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary folder that replaces `path` when the block ends without an error.

        with new_folder(pathlib.Path("made/masks")) as temp:
            (temp / "00000.png").write_bytes(b"")

    It stands beside `path`. After an error it is removed, and what was there stays as it was. What
    a killed process left is removed first: a lock beside `path` (`vosjax.io.lock`), which ends with
    the process that holds it, tells that nobody writes there any more.

    Args:
        path: the folder; the caller has checked that it may be replaced (`check_folder`).

    Raises:
        DiskFull: the disk is full.
        Held: another process exports to this folder at this moment.
        InputError: the folder cannot be made or written.
    """
    temp, old = (_beside(path, secrets.token_hex(4) + part) for part in ("", REPLACED))
    with locked(path.with_name(fitted(f".{path.name}", ".lock")), what=path), writing(path):
        _sweep(path)
        try:
            temp.mkdir(parents=True)
            yield temp
            if os.path.lexists(path):
                os.rename(path, old)
            try:
                os.rename(temp, path)
            except OSError:
                if old.exists():
                    os.rename(old, path)
                raise
        except InputError as error:  # which names the temporary folder, of which nobody knows
            raise type(error)(str(error).replace(str(temp), str(path))) from error
        finally:
            for remains in (temp, old):
                shutil.rmtree(remains, ignore_errors=True)


def _beside(path: pathlib.Path, middle: str) -> pathlib.Path:
    """Returns the place of a temporary folder: '.masks.0123abcd.tmp' beside 'masks'."""
    room = f".{'0' * 8}{REPLACED}.tmp"  # all endings are as long for a name that is shortened
    return path.with_name(fitted(f".{path.name}", room).removesuffix(room) + f".{middle}.tmp")


def _sweep(path: pathlib.Path) -> None:
    """Removes the temporary folders that killed processes left beside `path`; its lock is held.

    A process that was killed after it had put an earlier export aside has that put back.
    """
    name = re.escape(_beside(path, "").name.removesuffix("..tmp"))
    pattern = re.compile(rf"{name}\.[0-9a-f]{{8}}(?P<old>{re.escape(REPLACED)})?\.tmp")
    for remains in sorted(path.parent.iterdir()):
        match = pattern.fullmatch(remains.name)
        if match is None or remains.is_symlink() or not remains.is_dir():
            continue
        if match["old"] and not os.path.lexists(path):
            os.rename(remains, path)
        else:
            shutil.rmtree(remains, ignore_errors=True)
