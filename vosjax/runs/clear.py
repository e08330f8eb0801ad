"""Removes what an earlier run of ours left in a folder, and nothing else, for `--overwrite`."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any

from vosjax.io.files import is_temporary
from vosjax.io.refusals import reading, writing


def clear(folder: str | os.PathLike[str], files: Iterable[pathlib.Path]) -> None:
    """Removes files of a run, and the folders below `folder` that become empty.

        clear("out", matching("out/masks", r"\\d{5,}\\.png"))

    The record, run.json, stays until the new run replaces it: without it, a process that is killed
    here would leave a folder of files that belong to no run.

    Args:
        folder: the folder of the run, whose lock is held.
        files: files below it; some may be missing.

    Raises:
        InputError: a file cannot be removed.
    """
    folder = pathlib.Path(folder)
    with writing(folder):
        above = {parent for path in files for parent in _removed(path).parents}
        for below in sorted(above, reverse=True):  # the deepest folders first
            if folder in below.parents and below.is_dir():
                for path in matching(below, None):
                    path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    below.rmdir()


def matching(folder: str | os.PathLike[str], pattern: str | None) -> list[pathlib.Path]:
    """Returns the files of a folder whose whole name matches a regular expression.

        matching("out/masks", r"\\d{5,}\\.png")

    Args:
        folder: the folder, which may be missing.
        pattern: the regular expression; None matches the temporary files of `io.files.atomic`.
    """
    folder = pathlib.Path(folder)
    with reading(folder):
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        path
        for path in paths
        if (is_temporary(path) if pattern is None else re.fullmatch(pattern, path.name))
    ]


def is_name(text: Any) -> bool:
    """Returns whether a text from a record can be the name of one file or folder, and not a path.

        is_name("dog"), is_name("../dog")       # True, False

    It is laxer than `io.names.name_problem`, which decides what may be created. This function
    decides what may be looked for below a folder, to be removed. A run of an earlier version, or on
    another system, may have made files with names that are no longer allowed (hidden, longer than
    200 bytes, not printable), and `--overwrite` has to find them, but none may lead elsewhere.
    """
    if not isinstance(text, str) or text in ("", ".", "..") or "\0" in text:
        return False
    return pathlib.PurePath(text).name == text


def _removed(path: pathlib.Path) -> pathlib.Path:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    return path
