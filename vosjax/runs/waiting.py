"""The folder in which a video's refined masks wait until all of them are there to replace others.

It lies in the run's folder, under the run's lock, so that what a killed process leaves in it is
found by the same command when it begins again, and by `--overwrite`.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from vosjax.runs import clear

NAME = "zoomed"


@contextlib.contextmanager
def waiting_masks(folder: str | os.PathLike[str], video: str = "") -> Iterator[pathlib.Path]:
    """Makes the folder, empty, and removes it with its masks when the block ends.

        with waiting_masks("runs/davis", "dog") as folder:
            write_label_png(folder / "0.png", labels)

    Args:
        folder: the folder of the run, whose lock (or that of the video) is held.
        video: name of the video in a run of many.

    Raises:
        InputError: a file that was left there cannot be removed.
    """
    inside = pathlib.Path(folder) / NAME / video

    def remove() -> None:
        clear.clear(folder, [*waiting_files(folder, video), inside / "0.png"])

    remove()
    inside.mkdir(parents=True)
    try:
        yield inside
    finally:
        remove()


def waiting_files(folder: str | os.PathLike[str], video: str = "") -> list[pathlib.Path]:
    """Returns the masks that wait in a run's folder, or were left there.

        waiting_files("runs/davis", "dog")

    Args:
        folder: the folder of the run.
        video: as for `waiting_masks`.
    """
    return clear.matching(pathlib.Path(folder) / NAME / video, r"\d+\.png")
