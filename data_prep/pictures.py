"""Inspects encoded pictures without raising: whether they are complete, their size and content.

A damaged file is left out of a prepared dataset and noted, so these functions return None where
`vosjax.datasets.decode` raises an error.
"""

import io
import os

import numpy as np
import numpy.typing as npt
from PIL import Image

from vosjax.datasets import decode
from vosjax.errors import InputError
from vosjax.io.content import load_file

HeightWidth = tuple[int, int]  # (height, width)
LabelMap = npt.NDArray[np.integer]  # [H, W]


def content(path: str | os.PathLike[str]) -> bytes:
    """Returns the content of a picture file; b'' if it cannot be read, or is a folder or a pipe."""
    try:
        return load_file(path, name=str(path))
    except InputError:
        return b""


def size_if_whole(data: bytes) -> HeightWidth | None:
    """Returns the stored (height, width) of an encoded picture; None if it cannot be decoded.

    The whole file is decoded (JPEG at an eighth of its size), so that truncation is noticed.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            image.draft("RGB", (1, 1))
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return height, width


def labels_of(data: bytes) -> LabelMap | None:
    """Decodes the values [H, W] of a mask by `decode.wide_labels`; returns None if that fails."""
    try:
        return decode.wide_labels(data)
    except InputError:
        return None


def areas_of(labels: npt.NDArray[np.uint8]) -> dict[int, int]:
    """Returns {id: pixels} for a label map, uint8 [H, W], without background and ignored pixels."""
    counts = decode.counts(labels)
    return {i: count for i, count in counts.items() if i != decode.IGNORE}
