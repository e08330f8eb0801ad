"""The files of one video's masks in a folder: which frame each is of, and their colours."""

import pathlib

import numpy as np

from vosjax.errors import InputError
from vosjax.io.content import load_file
from vosjax.io.files import is_temporary
from vosjax.io.masks.frames import Frames, without_prefix
from vosjax.io.masks.raw import TargetVideo
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
        InputError: a file belongs to no frame, two are of one frame, or there is none.
    """
    frames = Frames(TargetVideo(video.size, video.count, video.names))
    files: dict[int, pathlib.Path] = {}
    for path in sorted(masks.glob("*.png")):
        if is_temporary(path):
            continue
        by_name = not by_index and video.names is not None
        index = frames.named(path.stem) if by_name else number(without_prefix(path.stem))
        if index is None or (video.count is not None and index >= video.count):
            raise InputError(
                f"{printable(path)} belongs to no frame of {video.name}: masks are named as the "
                "frames are, or by the frames' numbers from 0"
            )
        if index in files:
            raise InputError(
                f"{printable(files[index])} and {printable(path)} are both of frame "
                f"{frames.label(index)}: leave one of them"
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
