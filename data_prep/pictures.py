"""Looks at encoded pictures: are they whole, how large are they, which ids does a mask hold."""

import io
import re

import numpy as np
from PIL import Image

PICTURES = (".jpg", ".jpeg", ".png")


def natural(text):
    """A sort key that takes runs of digits as numbers."""
    return [
        (0, int(part), part) if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", str(text))
        if part
    ]


def listing(folder, endings=PICTURES):
    """The files of a folder with these endings, in natural order; none if there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(
        (
            path
            for path in folder.iterdir()
            if path.suffix.lower() in endings and not path.name.startswith(".")
        ),
        key=lambda path: natural(path.name),
    )


def size_if_whole(data):
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


def ids_of(data):
    """The values [H, W] of an encoded mask as stored: palette indices, grey or 16-bit levels.

    Returns:
        An integer array, or None where it cannot be decoded or holds colours.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode not in ("P", "L", "1", "I;16", "I;16B", "I"):
                return None
            return np.array(image.convert("L") if image.mode == "1" else image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def areas_of(labels):
    """{id: pixels} of a label map uint8 [H, W], without background and ignored pixels."""
    counts = np.bincount(labels.reshape(-1), minlength=256)
    return {int(i): int(counts[i]) for i in np.flatnonzero(counts[:255]) if i}
