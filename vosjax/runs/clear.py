"""Removes what an earlier run of ours left in a folder, and nothing else: `--overwrite`."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any

from vosjax.io.files import is_temporary
from vosjax.io.refusals import reading, writing


def clear(folder: str | os.PathLike[str], files: Iterable[pathlib.Path]) -> None:
    """Removes files of a run, and the folders below `folder` that are empty without them.

        clear("out", matching("out/masks", r"\\d{5,}\\.png"))

    The record, run.json, is left to be replaced by the new run's: were it removed, a process that
    is killed here would leave a folder of files that are nobody's.

    Args:
      folder: of the run, whose lock is held.
      files: below it; some may be missing.

    Raises:
      InputError: a file cannot be removed.
    """
    folder = pathlib.Path(folder)
    with writing(folder):
        above = {parent for path in files for parent in _removed(path).parents}
        for below in sorted(above, reverse=True):  # the deepest first
            if folder in below.parents and below.is_dir():
                for path in matching(below, None):
                    path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    below.rmdir()


def matching(folder: str | os.PathLike[str], pattern: str | None) -> list[pathlib.Path]:
    """The files in a folder whose whole name is of a regular expression; None: temporary ones.

    matching("out/masks", r"\\d{5,}\\.png")
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
    """Whether something read from a record can be the name of one file or folder, and no path.

        is_name("dog"), is_name("../dog")       # True, False

    It is laxer than `io.names.name_problem`, which asks what may be made: here is asked what may be
    looked for below a folder, to be removed. A run of an earlier version, or of another system, may
    have made files of names that are no longer given (hidden, longer than 200 bytes, not
    printable), and `--overwrite` has to find them; all that counts is that none leads elsewhere.
    """
    if not isinstance(text, str) or text in ("", ".", "..") or "\0" in text:
        return False
    return pathlib.PurePath(text).name == text


def _removed(path: pathlib.Path) -> pathlib.Path:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    return path
