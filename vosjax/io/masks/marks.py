"""Reads a file of masks with the names of its objects, for programs in which objects are marked."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks.reading import read_masks

HIGHEST = 255


class Marks(NamedTuple):
    """The masks of a file.

    labels   {frame index: uint8 [H, W] of object ids from 1 to 255}, in the order of frames
    names    {id: name} of the objects that the file names
    palette  uint8 [256, 3], the colours of the ids; None if the file has none
    notes    what was read, in sentences for a person
    doubts   what could have been read otherwise, and how it was read, in sentences
    """

    labels: dict[int, np.ndarray]
    names: dict[int, str]
    palette: np.ndarray | None
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


def read_marks(
    source: str | os.PathLike[str] | bytes,
    *,
    frames: int | Sequence[str] | None,
    size: tuple[int, int],
    frame: int = 0,
) -> Marks:
    """Reads the masks of a file, for the frames that it names.

        labels, names, *_ = read_marks("first.png", frames=4, size=(48, 64))

    Ids are those of the file, if it has some (PNG, arrays); objects of annotation files are
    numbered 1, 2, ... in the order of frames and of the file. So ids say nothing about objects that
    are known already: the caller decides which of them are the same.

    Args:
        source: a file of any kind in the table of `vosjax.io.masks`, or its content.
        frames: the names of the video's frames (`Video.names`), or else their number, if it is
            known.
        size: (H, W) of the video, which the masks must have.
        frame: index of the frame of a single mask that does not tell its own.

    Raises:
        InputError: as for `read_masks`; there are more than 255 objects.
    """
    if frames is None or isinstance(frames, int):
        names, count = None, frames
    else:
        names, count = tuple(frames), len(frames)
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = bytes(source)
    masks = read_masks(source, names, size=size, count=count, frame=frame)
    highest = max(int(labels.max()) for labels in masks.labels.values())
    if highest > HIGHEST:
        raise InputError(
            f"the masks hold object ids up to {highest}; at most {HIGHEST} objects can be marked: "
            "renumber them, or leave some out"
        )
    labels = {index: labels.astype(np.uint8) for index, labels in masks.labels.items()}
    return Marks(labels, dict(masks.objects), masks.palette, masks.notes, masks.doubts)
