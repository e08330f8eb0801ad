"""Looks at encoded pictures without raising: are they whole, how large are they, what do they show.

A damaged file is left out of a prepared dataset and noted, so these give None where
`vosjax.datasets.decode` raises.
"""

import io
import os

import numpy as np
import numpy.typing as npt
from PIL import Image

from vosjax.datasets import decode
from vosjax.errors import InputError
from vosjax.io.content import load_file

Size = tuple[int, int]  # (height, width)
LabelMap = npt.NDArray[np.integer]  # [H, W]


def content(path: str | os.PathLike[str]) -> bytes:
    """The content of a picture file; b'' where it cannot be read, or is a folder or a pipe."""
    try:
        return load_file(path, name=str(path))
    except InputError:
        return b""


def size_if_whole(data: bytes) -> Size | None:
    """(height, width) as stored of an encoded picture, or None where it cannot be decoded.

    The whole file is read (JPEG at an eighth of its size), so that a truncated one is noticed.
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
    """The values [H, W] of an encoded mask, see `decode.wide_labels`; None where it has none."""
    try:
        return decode.wide_labels(data)
    except InputError:
        return None


def areas_of(labels: npt.NDArray[np.uint8]) -> dict[int, int]:
    """{id: pixels} of a label map uint8 [H, W], without background and ignored pixels."""
    counts = decode.counts(labels)
    return {i: count for i, count in counts.items() if i != decode.IGNORE}
