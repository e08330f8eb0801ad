"""Holds a run's folder while the run is at work: checked, locked, and cleared if asked."""

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator

from vosjax.io import lock
from vosjax.runs import clear, record


@contextlib.contextmanager
def held(
    folder: str | os.PathLike[str],
    settings: dict,
    *,
    overwrite: bool,
    files: Callable[[], Iterable[pathlib.Path]],
) -> Iterator[dict | None]:
    """Holds the folder of a run that is carried out by one process.

        with held("out", settings, overwrite=False, files=lambda: [out / "scores.csv"]) as before:
            ...

    Args:
        folder: the run's --output; a missing folder is created.
        settings: the settings that decide the result.
        overwrite: whether to remove what an earlier run made there, and to begin anew.
        files: returns the files that such a run may have made.

    Yields:
        The record of the run that is resumed; None if a new one begins.

    Raises:
        InputError: the folder holds something else, a run with other settings, or a damaged record;
            or another process holds it.
    """
    folder = pathlib.Path(folder)
    record.resume(folder, settings, overwrite=overwrite)  # refuses before anything is touched
    with lock.locked(folder / lock.NAME, what=folder):
        before = record.resume(folder, settings, overwrite=overwrite)
        if overwrite:
            clear.clear(folder, files())
        yield before
