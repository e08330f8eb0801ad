"""The files of one video's masks in a folder: which frame each is of, and their colours."""

import pathlib

import numpy as np

from vosjax.errors import InputError
from vosjax.io.content import load_file
from vosjax.io.files import is_temporary
from vosjax.io.names import number, printable
from vosjax.io.palette import DAVIS
from vosjax.io.pictures import read_pictures
from vosjax.io.video import Video


def mask_files(masks: pathlib.Path, video: Video, *, by_index: bool) -> dict[int, pathlib.Path]:
    """Returns {frame: its mask file}, by the frame's name or its number.

        files = mask_files(pathlib.Path("out/masks"), open_video("dog.mp4"), by_index=True)

    Args:
        masks: a folder of label PNGs.
        video: the video whose frames they are of.
        by_index: whether they are named by the frames' indices in any case, as runs name them.

    Raises:
        InputError: a file belongs to no frame, or there is none.
    """
    stems = {name: index for index, name in enumerate(video.names or ())}
    files = {}
    for path in sorted(masks.glob("*.png")):
        if is_temporary(path):
            continue
        index = None if by_index else stems.get(path.stem)
        if index is None and (by_index or video.names is None):
            index = number(path.stem)
        if index is None or (video.count is not None and index >= video.count):
            raise InputError(
                f"{printable(path)} belongs to no frame of {video.name}: masks are named as the "
                "frames are, or by the frames' numbers from 0"
            )
        files[index] = path
    if not files:
        raise InputError(f"{printable(masks)} holds no masks (.png): name a run, or their folder")
    return files


def palette_of(path: pathlib.Path) -> np.ndarray:
    """Returns uint8 [256, 3], the colours of a mask file; those of DAVIS where it has none.

        palette_of(pathlib.Path("out/masks/00000.png"))

    Raises:
        InputError: the file cannot be read.
    """
    name = f"label map {printable(path)}"
    picture = next(iter(read_pictures(load_file(path, name=name), name=name, upright=False)))
    colours = DAVIS.copy()
    if picture.palette is not None:
        colours[: len(picture.palette)] = picture.palette[:, :3]
    return colours
