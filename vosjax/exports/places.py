"""Places for what is exported: checked before work begins, and filled at once when it is done."""

import contextlib
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator

from vosjax.errors import InputError
from vosjax.io.files import atomic, fitted, is_temporary
from vosjax.io.names import printable, some
from vosjax.io.refusals import reading, writing

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

    It stands beside `path`. After an error it is removed, and what was there stays as it was.

    Args:
        path: the folder; the caller has checked that it may be replaced (`check_folder`).

    Raises:
        DiskFull: the disk is full.
        InputError: the folder cannot be made or written.
    """
    temp, old = (path.with_name(fitted(f".{path.name}", _random())) for _ in range(2))
    with writing(path):
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


def _random() -> str:
    return f".{secrets.token_hex(4)}.tmp"
