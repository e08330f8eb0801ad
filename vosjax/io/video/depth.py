"""Converts images of more than eight bits a level, with one scale for all frames of a video.

Cameras store 10, 12 or 14 bits in files of 16, whose high byte alone would be nearly black. The
scale follows from the highest level of the whole video (or of a sample of its frames), never from
each frame, since the brightness would flicker.
"""

import math
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from vosjax.errors import InputError

ORIENTATION = 0x0112  # the EXIF tag
HIGH_BYTE = 1 << 16  # the white level if all 16 bits are in use
WIDTHS = (8, 10, 12, 14, 16, 24, 32)  # bits of sensors and files
SAMPLE = 32  # frames from which a scale is found


def is_deep(image: Image.Image) -> bool:
    """Returns whether an open image has more than eight bits a level; only its header is read.

    is_deep(Image.open("00000.png"))
    """
    if image.mode.startswith("I") or image.mode == "F":
        return True
    if image.format in ("PNG", "TIFF"):
        return any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    return image.format in ("PPM", "JPEG2000") and _declared_bits(image) > 8


def _declared_bits(image: Any) -> int:
    """Returns the bits that the header of a PPM or JPEG 2000 file declares; Pillow keeps eight."""
    here = image.fp.tell()
    image.fp.seek(0)
    head = image.fp.read(1 << 16)
    image.fp.seek(here)
    if image.format == "PPM":
        head = re.sub(rb"#[^\n]*\n", b"\n", head)
        fields = re.match(rb"P[2356]\s+\d+\s+\d+\s+(\d+)", head)
        return int(fields[1][:9]).bit_length() if fields else 8
    at = head.find(b"\xff\x4f\xff\x51")  # the codestream's start, and its size marker
    return (head[at + 42] & 127) + 1 if 0 <= at < len(head) - 42 else 8


def read_levels(image: Image.Image, path: str | os.PathLike[str]) -> np.ndarray:
    """Reads the levels of a deep image as they are stored.

        levels = read_levels(Image.open("00000.png"), "00000.png")

    Args:
        image: the image, open in Pillow at the right page.
        path: its file, or the open binary file that it came from.

    Returns:
        Integers or floats [H, W] or [H, W, 3] RGB, upright; transparent parts show black.
    """
    orientation = image.getexif().get(ORIENTATION, 1)
    grey = image.mode.startswith("I") or image.mode == "F"
    if grey and image.format not in ("PPM", "JPEG2000"):
        return upright(np.asarray(image), orientation)
    levels = _through_opencv(image, path)
    if levels.ndim == 2:
        return upright(levels, orientation)
    colours = levels[..., 2::-1]
    if levels.shape[2] == 4:
        top = np.iinfo(levels.dtype).max
        colours = (colours.astype(np.uint64) * levels[..., 3:] // top).astype(levels.dtype)
    return upright(colours, orientation)


def _through_opencv(image: Image.Image, path: str | os.PathLike[str]) -> np.ndarray:
    """Reads colours of 16 bits, whose low byte Pillow drops silently."""
    if isinstance(path, (str, os.PathLike)):
        data = pathlib.Path(path).read_bytes()
    else:
        path.seek(0)
        data = path.read()
    page = image.tell()
    read, pages = cv2.imdecodemulti(
        np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED, range=(page, page + 1)
    )
    if not read or not len(pages):
        raise ValueError("its 16 bits cannot be decoded")
    return pages[0]


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turns an image array as its EXIF orientation (1 to 8) says.

    upright(levels, 6)      # turned right by a quarter
    """
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


class Scale(NamedTuple):
    """How the deep images of a video become eight bits, the same in all frames.

    integers  the level of integers from which on a pixel is white; None if there are no integers
    floats    the same for floats
    highest   the highest level of integers that was found
    """

    integers: float | None = None
    floats: float | None = None
    highest: int = 0

    def white(self, levels: np.ndarray) -> float:
        """Returns the white level for these levels."""
        white = self.floats if levels.dtype.kind == "f" else self.integers
        return HIGH_BYTE if white is None else white


def find_scale(sample: Iterable[np.ndarray], name: str) -> Scale:
    """Finds the scale of a video from the levels of some of its frames.

        scale = find_scale([levels], "frames")

    For integers, white is the power of two of 8, 10, 12, 14 or 16 bits (or more) that holds the
    highest level. For floats it is 1 if nothing is above it, else the power of two.

    Args:
        sample: levels as of `read_levels`.
        name: what messages call the video.

    Raises:
        InputError: a level is negative, not a number, or infinite.
    """
    highest: dict[Any, Any] = {}
    for levels in sample:
        low, high = levels.min(), levels.max()
        if not np.isfinite([low, high]).all() or low < 0:
            raise InputError(
                f"{name} has levels from {low} to {high}: finite ones from 0 on are expected; "
                "scale the images, or convert them to eight bits"
            )
        kind = levels.dtype.kind == "f"
        highest[kind] = max(highest.get(kind, 0), float(high))
    floats, integers = highest.get(True), highest.get(False)
    return Scale(
        None if integers is None else _power(integers) if integers else float(HIGH_BYTE),
        None if floats is None else _power(floats) if floats > 1 else 1.0,
        int(integers or 0),
    )


def _power(highest: float) -> float:
    bits = math.ceil(highest).bit_length()
    return 2.0 ** next((width for width in WIDTHS if bits <= width), bits)


def scale_notes(scale: Scale, count: int | None, name: str) -> list[str]:
    """Returns a line, in a list, if the scale of deep frames is not the high byte of 16 bits.

        scale_notes(scale, 24, "frames")

    Args:
        scale: the scale of the video.
        count: how many of its frames are deep; None if all are, but their number is not known.
        name: name of the video.
    """
    frames = "all frames" if count is None else f"{count} frame(s)"
    lines = []
    if scale.integers not in (None, HIGH_BYTE):
        bits = int(math.log2(scale.integers))
        lines.append(
            f"{name}: {frames} of 16 bits or more, {bits} of which are in use: levels 0 to "
            f"{int(scale.integers) - 1} become 0 to 255, in all frames alike"
        )
    if scale.integers == HIGH_BYTE and 0 < scale.highest < HIGH_BYTE // 2:
        lines.append(
            f"{name}: {frames} of 16 bits whose levels go up to {scale.highest} of "
            f"{HIGH_BYTE - 1} only: they are taken as they are, and are dark; scale them if they "
            "are meant to be brighter"
        )
    if scale.floats is not None:
        lines.append(
            f"{name}: {frames} of floats: the range 0 to {scale.floats:g} becomes 0 to "
            "255, in all frames alike"
        )
    return lines


def to_eight_bits(levels: np.ndarray, white: float) -> np.ndarray:
    """Converts levels to uint8 [H, W, 3] in steps of `white` / 256; from `white` on, all is 255.

        image = to_eight_bits(levels, white=2**12)

    With a `white` of 2**16 the result is the high byte, with 2**12 the upper eight of twelve bits.

    Args:
        levels: integers or floats [H, W] or [H, W, 3].
        white: the level from which on a pixel is white.
    """
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)
    return np.nan_to_num(levels * (256 / white)).clip(0, 255).astype(np.uint8)


def spread(count: int, most: int = SAMPLE) -> list[int]:
    """Returns at most `most` indices below `count`, evenly spread from the first to the last.

    spread(101, 3)      # [0, 50, 100]
    """
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))})
