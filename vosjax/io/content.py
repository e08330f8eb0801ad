"""Reads the content of files that a user names, with one clear line for what cannot be read."""

import json
import os
import pathlib
import stat
from typing import Any

from vosjax.errors import InputError
from vosjax.io.names import printable

LARGEST_FILE = 2**31  # bytes; no mask file is larger


def load_file(path: str | os.PathLike, *, name: str) -> bytes:
    """Reads a regular file.

        data = load_file("first.png", name="mask first.png")

    Args:
        path: the file.
        name: what messages call it.

    Returns:
        The file's bytes.

    Raises:
        InputError: the file is missing, a folder, a pipe or a device, unreadable, or larger than
            2 GiB.
    """
    try:
        status = pathlib.Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{name} is no file but a folder: name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{name} is no file but a pipe or a device: save it as a file first")
        if status.st_size > LARGEST_FILE:
            raise InputError(f"{name} has {status.st_size} bytes: at most {LARGEST_FILE} are read")
        return pathlib.Path(path).read_bytes()
    except InputError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{name} is no file, it is missing: check the path") from error
    except PermissionError as error:
        raise InputError(f"{name} may not be read: check its permissions") from error
    except (OSError, ValueError) as error:  # a name that is too long, a loop of links, a NUL
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{name} is no file that can be read ({reason}): check it") from error


def load_text(path: str | os.PathLike, *, name: str) -> str:
    """Reads a text file in UTF-8.

        text = load_text("ImageSets/2017/val.txt", name="list ImageSets/2017/val.txt")

    Args:
        path: the file.
        name: what messages call it.

    Raises:
        InputError: as for `load_file`, or the file is not UTF-8.
    """
    try:
        return load_file(path, name=name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no text in UTF-8 ({error.reason}): replace it") from error


def load_json(path: str | os.PathLike, *, name: str) -> Any:
    """Reads a JSON file; the caller checks what it is made of.

        meta = load_json("valid/meta.json", name="valid/meta.json")

    Args:
        path: the file.
        name: what messages call it.

    Raises:
        InputError: as for `load_text`, or the file is not JSON, or is nested too deeply.
    """
    text = load_text(path, name=name)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = printable(str(error)[:200])
        raise InputError(f"{name} is no JSON ({reason}): replace it, it is damaged") from error


def damaged(name: str, reason: str) -> InputError:
    """Returns the error for a file that cannot be decoded.

        error = damaged("mask first.png", "it is no picture")

    Args:
        name: what the message calls the file.
        reason: why it cannot be decoded; the start of its first line is shown.
    """
    reason = printable(reason.splitlines()[0][:200])
    return InputError(f"{name} cannot be read ({reason}): replace it, it is damaged or not a mask")
