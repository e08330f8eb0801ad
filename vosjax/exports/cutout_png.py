"""The format `cutout-png`: the objects of each frame before a transparent background."""

import pathlib

import numpy as np
from PIL import Image

from vosjax.exports.protocol import Export, Tell
from vosjax.exports.segmentation import Segmentation
from vosjax.io.files import atomic

FAST = 3  # of zlib's levels; the pictures of higher ones are a few percent smaller


def write(folder: pathlib.Path, segmentation: Segmentation, tell: Tell) -> None:
    """Writes FRAME.png, RGBA, into a new folder for every frame.

    Pixels of no object are transparent and black; a frame without a mask is transparent throughout.

    Args:
        folder: the folder.
        segmentation: what is written.
        tell: called with the index of each frame that is done.
    """
    for index, frame, labels in segmentation.shown():
        picture = Image.fromarray(cut_out(frame.image, labels > 0))
        with atomic(folder / f"{segmentation.stem(index)}.png", durable=False) as temp:
            picture.save(temp, format="PNG", compress_level=FAST)
        tell(index)


def cut_out(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns the pixels of a mask before a transparent background, uint8 [H, W, 4] RGBA.

        cut_out(np.full((2, 2, 3), 9, np.uint8), np.array([[0, 1], [0, 1]], bool))

    Args:
        image: uint8 [H, W, 3] RGB.
        mask: bool [H, W].
    """
    cut = np.zeros((*mask.shape, 4), np.uint8)
    cut[mask, :3] = image[mask]
    cut[mask, 3] = 255
    return cut


EXPORT = Export(
    "cutout-png", "", (".png",), "RGBA PNGs of the objects on a transparent background", write
)
