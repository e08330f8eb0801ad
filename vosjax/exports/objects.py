"""The format `objects`: a folder for each object, with its masks in black and white."""

import pathlib
import re

import numpy as np
from PIL import Image

from vosjax.exports.protocol import Export, Tell
from vosjax.exports.segmentation import Object, Segmentation, object_ids
from vosjax.io.files import atomic

LONGEST = 60  # letters of an object's name that its folder bears


def folder_name(known: Object) -> str:
    """Returns the name of an object's folder: its id, and what of its name a folder can bear.

    folder_name(Object(3, "../black dog"))      # '003_black_dog'
    """
    words = re.sub(r"\W+", "_", known.name)[:LONGEST].strip("_")
    return f"{known.id:03d}" + (f"_{words}" if words else "")


def write(folder: pathlib.Path, segmentation: Segmentation, tell: Tell) -> None:
    """Writes OBJECT/FRAME.png into a new folder: 255 where the object is, 0 elsewhere.

    Every object has a file for each frame that has a mask, from the first frame in which it is
    seen on; in the frames before, it was not known.

    Args:
        folder: the folder.
        segmentation: what is written.
        tell: called with the index of each frame that is done.
    """
    seen: dict[int, str] = {}
    for index, labels in segmentation.labelled():
        for id in object_ids(labels):
            seen.setdefault(id, folder_name(segmentation.objects.get(id, Object(id))))
        for id, name in seen.items():
            picture = Image.fromarray(np.where(labels == id, np.uint8(255), np.uint8(0)))
            with atomic(folder / name / f"{segmentation.stem(index)}.png", durable=False) as temp:
                picture.save(temp, format="PNG")
        tell(index)


EXPORT = Export(
    "objects", "", (".png",), "a folder for each object, with black and white PNGs", write
)
