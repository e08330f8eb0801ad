"""Writes the zip files that the evaluation servers of DAVIS and YouTube-VOS take.

DAVIS expects `SEQUENCE/FRAME.png`, YouTube-VOS `Annotations/VIDEO/FRAME.png`. Every file is an
8-bit palette PNG of the frame's size whose values are object ids. Equal masks give equal bytes:
entries are sorted, stored without compression (as PNG is compressed already) and carry a fixed
date.
"""

import os
import pathlib
import zipfile
from collections.abc import Sequence

import numpy as np

from vosjax.errors import InputError
from vosjax.eval.videos import EvalVideo, frame_size
from vosjax.io.content import load_file
from vosjax.io.files import atomic
from vosjax.io.pictures import read_pictures

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold

Path = str | os.PathLike[str]


def davis_zip(path: Path, predictions: Path, videos: Sequence[EvalVideo]) -> None:
    """Writes the zip file for the DAVIS server from `predictions/SEQUENCE/FRAME.png`, atomically.

        davis_zip("runs/davis/submission.zip", "runs/davis/masks", discover("DAVIS", split="val"))

    Args:
        path: the zip file to write.
        predictions: a folder with one folder of label PNGs for each video.
        videos: the videos, whose frames in `written` are packed.

    Raises:
        InputError: a mask is missing or damaged, is not an 8-bit palette PNG, differs in size from
            its frame, or has an id that its video does not have. Nothing is written then.
    """
    _write(path, predictions, videos, "")


def youtube_zip(path: Path, predictions: Path, videos: Sequence[EvalVideo]) -> None:
    """Writes the zip file for the YouTube-VOS server, with the arguments and errors of `davis_zip`.

        youtube_zip("valid.zip", "out/masks", videos)

    If videos were tracked over all frames, only the frames of the sparse release are packed.
    """
    _write(path, predictions, videos, "Annotations/")


def _write(path: Path, predictions: Path, videos: Sequence[EvalVideo], prefix: str) -> None:
    if not videos:
        raise InputError("no sequence to submit: expected those of one split")
    with atomic(path) as temp, zipfile.ZipFile(temp, "w", zipfile.ZIP_STORED) as archive:
        for video in sorted(videos, key=lambda video: video.name):
            for index in sorted(video.written, key=lambda index: video.frames[index]):
                frame = video.frames[index]
                file = pathlib.Path(predictions) / video.name / f"{frame}.png"
                content = _checked(file, video, index)
                # Names in a zip are UTF-8; no dataset of a server has other names.
                entry = zipfile.ZipInfo(_utf8(f"{prefix}{video.name}/{frame}.png"), _DATE)
                entry.create_system = 3  # Unix, wherever this runs
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, content)


def _utf8(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _checked(file: pathlib.Path, video: EvalVideo, index: int) -> bytes:
    """Returns the content of a mask file that the server will take."""
    if not file.is_file():
        raise InputError(
            f"sequence {video.name} has no mask {file}: the server wants one for "
            "every frame, run the sequence again"
        )
    data = load_file(file, name=str(file))
    mask, *more = read_pictures(data, name=str(file), upright=False)
    if more or mask.form != "indices":
        kind = f"a file of {1 + len(more)} pages" if more else mask.what
        raise InputError(
            f"{file} is {kind}: the server wants palette PNGs, write masks with "
            "vosjax.io.palette.write_label_png"
        )
    expected = frame_size(video, index)
    if mask.values.shape != expected:
        height, width = mask.values.shape
        raise InputError(
            f"{file} has {width} x {height} pixels (width x height), its frame "
            f"{expected[1]} x {expected[0]}: write masks at the frame's size"
        )
    unknown = sorted(set(np.unique(mask.values).tolist()) - set(video.starts) - {0})
    if unknown:
        raise InputError(
            f"{file} has ids {unknown}, but sequence {video.name} has the objects "
            f"{sorted(video.starts)}: remove the others"
        )
    return data
