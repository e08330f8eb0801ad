"""The DAVIS palette, and label maps in palette PNG files."""

import os
import zlib
from typing import Any

import numpy as np
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.content import load_file
from vosjax.io.files import atomic
from vosjax.io.names import printable
from vosjax.io.pictures import Picture, read_pictures


def _davis() -> np.ndarray:
    """Returns uint8 [256, 3]: bit 3i + c of an id becomes bit 7 - i of its colour channel c."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= ((ids >> bit & 1) << (7 - bit // 3)).astype(np.uint8)
    return palette


# The colour map of PASCAL VOC, which DAVIS and YouTube-VOS use for their annotations.
DAVIS = _davis()
DAVIS.setflags(write=False)


def write_label_png(
    path: str | os.PathLike[str], labels: np.ndarray, palette: np.ndarray = DAVIS
) -> None:
    """Writes object ids to a palette PNG, atomically.

        write_label_png("out/masks/00000.png", labels)

    It does not wait for the disk (see `files.atomic`); `files.sync` does so for many files at once.

    Args:
        path: the file.
        labels: uint8 [H, W], 0 is the background.
        palette: uint8 [K, 3], the colours of ids 0..K-1.

    Raises:
        ValueError: the labels have another type or shape.
        DiskFull: the disk is full.
    """
    labels = np.asarray(labels)
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(
            f"a label map must be uint8 [H, W], got {labels.dtype} {list(labels.shape)}"
        )
    image = Image.fromarray(labels)
    image.putpalette(np.asarray(palette, np.uint8).tobytes())
    with atomic(path, durable=False) as temp:
        # Label maps are runs of equal bytes: to look for nothing else takes a third of the time,
        # and files of DAVIS's masks get 5 % larger.
        image.save(temp, format="PNG", compress_type=zlib.Z_RLE)


def read_label_png(source: Any) -> np.ndarray:
    """Reads the exact ids that `write_label_png` wrote, even if there is no object.

        labels = read_label_png("first.png")

    Args:
        source: a path, a file's bytes, or a binary stream, which messages call by its `str`.

    Returns:
        uint8 [H, W].

    Raises:
        InputError: the file is missing, damaged, or not a palette or grey image of ids up to 255.
    """
    return decode_labels(source)


def decode_labels(source: Any, *, void: int | None = None, name: str | None = None) -> np.ndarray:
    """Reads the ids of a dataset's label map as they are stored; its colours do not matter.

        labels = decode_labels("first.png", void=255)

    A dataset's file follows the dataset's rules. Unlike for a user's mask (`vosjax.io.masks`),
    nothing is decided by the values, except for `void`.

    Args:
        source: a path, a file's bytes, or a binary stream.
        void: the value of pixels that belong to no object, 255 in DAVIS and YouTube-VOS. These
            datasets also have binary masks of 0 and 255, which are read as one object with id 1;
            beside other ids, void keeps its value. None leaves all values as they are stored.
        name: what messages call the file; by default the path, or the stream's `str`.

    Returns:
        uint8 [H, W], a new array: palette indices, grey levels, 1 for the white of a
        black-and-white image, or the grey of an image whose alpha channel hides nothing.

    Raises:
        InputError: the file is missing, damaged, in a lossy format, or has colours or ids above
            255.
    """
    name = name or f"label map {'' if isinstance(source, bytes) else printable(source)}".rstrip()
    if not isinstance(source, bytes):
        is_path = isinstance(source, (str, os.PathLike))
        source = load_file(source, name=name) if is_path else source.read()
    picture, *more = read_pictures(source, name=name, upright=False)
    if more:
        raise InputError(f"{name} holds {1 + len(more)} pages: one label map is expected")
    labels = _plain(picture)
    if labels is None or labels.max(initial=0) > 255:
        raise InputError(
            f"{name} holds {'colours' if labels is None else f'ids up to {labels.max()}'} "
            f"({picture.what}): a palette PNG or grey PNG of ids up to 255 is expected"
        )
    labels = labels.astype(np.uint8)
    return labels if void is None else one_object(labels, void=void)


def one_object(labels: np.ndarray, *, void: int = 255) -> np.ndarray:
    """Returns a label map in which void becomes the one object, id 1, if there is no other.

        one_object(np.array([[1, 255]], np.uint8))      # unchanged: 255 is void beside other ids
        one_object(np.array([[0, 255]], np.uint8))      # becomes [[0, 1]]

    DAVIS 2016 and other datasets of one object store it as black and white.

    Args:
        labels: uint8 [H, W].
        void: the value of pixels that belong to no object.
    """
    if labels.max(initial=0) == void and np.isin(labels, (0, void)).all():
        return (labels > 0).astype(np.uint8)
    return labels


def _plain(picture: Picture) -> np.ndarray | None:
    """Returns the values [H, W] of a picture without colours, or None if it has some."""
    if picture.form != "colours":
        return None if picture.form == "floats" else picture.values
    red, green, blue, alpha = np.moveaxis(picture.values, 2, 0)
    is_grey = (red == green).all() and (green == blue).all() and (alpha == 255).all()
    return red if is_grey else None
