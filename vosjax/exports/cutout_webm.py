"""The format `cutout-webm`: a film of the objects before a transparent background."""

import pathlib

import cv2
import numpy as np

from vosjax.errors import InputError
from vosjax.exports.protocol import Export, Tell
from vosjax.exports.segmentation import Segmentation
from vosjax.io.encode_alpha import AlphaEncoder
from vosjax.io.encode_av import Refused
from vosjax.io.names import printable
from vosjax.io.refusals import check_space

MARGIN = 4  # pixels around objects that keep their colour, as the codec mixes those of neighbours
ROOM = 4 << 20  # bytes; the encoder holds back less than this between two checks of the disk


def write(path: pathlib.Path, segmentation: Segmentation, tell: Tell) -> None:
    """Writes the film: WebM, VP9 with alpha, with each frame's own time.

    A frame without a mask is transparent throughout.

    Args:
        path: the file.
        segmentation: what is written.
        tell: called with the index of each frame that is done.

    Raises:
        InputError: this PyAV cannot write such a film.
    """
    video = segmentation.video
    try:
        film = AlphaEncoder(path, fps=video.fps, size=video.size)
    except Refused as error:
        raise InputError(
            f"a cut-out cannot be written as WebM ({printable(error)}): take the format "
            "cutout-png, or install another PyAV"
        ) from error
    finished = False
    try:
        for index, frame, labels in segmentation.shown():
            check_space(path, ROOM)
            film.write(_with_margin(frame.image, labels > 0), frame.time)
            tell(index)
        finished = True
        film.close()
    finally:
        if not finished:
            film.abandon()


def _with_margin(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 4]: alpha is the mask; colours reach some pixels beyond it, then all is black.

    Where colours ended with the mask, the codec, which halves their resolution, would darken the
    objects' edges.
    """
    side = 2 * MARGIN + 1
    near = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8))
    return np.dstack([image * near[..., None], mask.astype(np.uint8) * 255])


EXPORT = Export(
    "cutout-webm", ".webm", (), "a WebM (VP9) of the objects on a transparent background", write
)
