"""The format `palette`: a palette PNG of object ids for each frame that has a mask."""

import pathlib

from vosjax.exports.protocol import Export, Tell
from vosjax.exports.segmentation import Segmentation
from vosjax.io.palette import write_label_png


def write(folder: pathlib.Path, segmentation: Segmentation, tell: Tell) -> None:
    """Writes FRAME.png into a new folder; `--masks FOLDER` reads them back.

    Args:
        folder: the folder.
        segmentation: what is written.
        tell: called with the index of each frame that is done.
    """
    palette = segmentation.palette(distinct=True)
    for index, labels in segmentation.labelled():
        write_label_png(folder / f"{segmentation.stem(index)}.png", labels, palette)
        tell(index)


EXPORT = Export("palette", "", (".png",), "a palette PNG of object ids for each frame", write)
