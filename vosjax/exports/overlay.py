"""The format `overlay`: a film of the frames with their objects tinted and outlined."""

import pathlib

from vosjax.exports.places import check_file
from vosjax.exports.protocol import Export, Tell
from vosjax.exports.segmentation import Segmentation
from vosjax.io.overlay import overlay
from vosjax.io.writer import OverlayWriter


def write(
    path: pathlib.Path, segmentation: Segmentation, tell: Tell, *, overwrite: bool = False
) -> None:
    """Writes the film: H.264, which browsers play, with each frame's own time.

    A frame without a mask is shown as it is.

    Args:
        path: the file.
        segmentation: what is written.
        tell: called with the index of each frame that is done.
        overwrite: whether an older file is replaced.

    Raises:
        InputError: the path has another ending or is taken, or the film cannot be written.
    """
    check_file(path, EXPORT.suffix, overwrite=overwrite)
    video, palette = segmentation.video, segmentation.palette()
    film = OverlayWriter(path, fps=video.fps, size=video.size)
    try:
        for index, frame, labels in segmentation.shown():
            film.write(overlay(frame.image, labels, palette=palette), frame.time)
            tell(index)
        film.close()
    finally:
        film.discard()


EXPORT = Export(
    "overlay",
    ".mp4",
    (),
    "an H.264 film of the frames with tinted objects",
    write,
    in_place=True,
)
