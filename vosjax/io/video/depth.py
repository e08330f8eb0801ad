"""Images of more than eight bits for a level, and the one scale that a video of them has.

Cameras store 10, 12 or 14 bits in files of 16, where the high byte alone would be nearly black.
The scale is found from the highest level of the whole video (or of a sample of its frames), never
for each frame, or the brightness would flicker.
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
HIGH_BYTE = 1 << 16  # the white level of 16 bits that are all in use
WIDTHS = (8, 10, 12, 14, 16, 24, 32)  # bits that sensors and files have
SAMPLE = 32  # frames that a scale is found from


def is_deep(image: Image.Image) -> bool:
    """Whether an open image has more than eight bits for a level; only its header is read."""
    if image.mode.startswith("I") or image.mode == "F":
        return True
    if image.format in ("PNG", "TIFF"):
        return any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    return image.format in ("PPM", "JPEG2000") and _declared_bits(image) > 8


def _declared_bits(image: Any) -> int:
    """What the header of a PPM or JPEG 2000 file says; Pillow would cut it to eight bits."""
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
    """The levels of a deep image as they are stored.

    Args:
        image: open in Pillow, at the page that is meant.
        path: its file, or the open file of bytes that it came from.

    Returns:
        integers or floats [H, W] or [H, W, 3] RGB, upright; what is transparent has turned black.
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
    """Colours of 16 bits, of which Pillow drops the low byte without a word."""
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
    """An image array turned as its EXIF orientation (1 to 8) says."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


class Scale(NamedTuple):
    """How the deep images of a video become eight bits, the same way in all of its frames.

    integers  the level from which on a pixel of integers is white; None where there are none
    floats    likewise of floats
    highest   the highest level of integers that was found
    """

    integers: float | None = None
    floats: float | None = None
    highest: int = 0

    def white(self, levels: np.ndarray) -> float:
        """The white level for these levels."""
        white = self.floats if levels.dtype.kind == "f" else self.integers
        return HIGH_BYTE if white is None else white


def find_scale(sample: Iterable[np.ndarray], name: str) -> Scale:
    """The scale for a video of which `sample` gives the levels of some frames.

    Integers: the power of two of 8, 10, 12, 14 or 16 bits (or more) that holds the highest level.
    Floats: 1 where nothing is above it, else likewise.

    Raises:
        InputError: negative levels, or floats that are no numbers or infinite.
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
    """A line where the scale of a video's deep frames is not the high byte of 16 bits.

    Args:
        scale: of the video.
        count: how many of its frames are deep; None for all of a number that is not known.
        name: of the video.
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
    """Levels [H, W] or [H, W, 3] as uint8 [H, W, 3]: `white` / 256 apart, 255 from there on.

    With a `white` of 2**16 this is the high byte, with 2**12 the upper eight of twelve bits.
    """
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)
    return np.nan_to_num(levels * (256 / white)).clip(0, 255).astype(np.uint8)


def spread(count: int, most: int = SAMPLE) -> list[int]:
    """Up to `most` indices below `count`, evenly spread, the first and the last among them."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))})
