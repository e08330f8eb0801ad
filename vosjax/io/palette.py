"""Colours of objects: the DAVIS palette, and label maps as palette PNG."""

import pathlib

import numpy as np
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.files import atomic


def _davis() -> np.ndarray:
    """[256, 3] uint8: bit 3i + c of an id becomes bit 7 - i of its colour channel c."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= ((ids >> bit & 1) << (7 - bit // 3)).astype(np.uint8)
    return palette


# The colour map of PASCAL VOC, which DAVIS and YouTube-VOS use for their annotations.
DAVIS = _davis()
DAVIS.setflags(write=False)


def write_label_png(path, labels, palette=DAVIS):
    """Writes uint8 [H, W] object ids as a palette PNG, atomically.

    Args:
        path: the file.
        labels: uint8 [H, W], 0 is the background.
        palette: uint8 [K, 3], the colours of ids 0..K-1.

    Raises:
        ValueError: labels of another type or shape.
        DiskFull: the disk is full.
    """
    labels = np.asarray(labels)
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(
            f"a label map must be uint8 [H, W], got {labels.dtype} {list(labels.shape)}"
        )
    image = Image.fromarray(labels)
    image.putpalette(np.asarray(palette, np.uint8).tobytes())
    with atomic(path) as temp:
        image.save(temp, format="PNG")


def read_label_png(path) -> np.ndarray:
    """The uint8 [H, W] ids that `write_label_png` wrote, exactly (also without any object).

    Raises:
        InputError: missing, damaged, or not a palette or grey PNG.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L"):
                raise InputError(
                    f"{path} holds {image.mode} colours: a palette PNG of object ids is expected"
                )
            return np.array(image)
    except (OSError, SyntaxError) as error:
        raise InputError(
            f"label map {path} cannot be read ({error}): it is missing or damaged, write it again"
        ) from error


def masks_done(folder) -> int:
    """The frames 0..n-1 that have a mask file `%05d.png` in `folder`: returns n."""
    folder, n = pathlib.Path(folder), 0
    while (folder / f"{n:05d}.png").exists():
        n += 1
    return n
