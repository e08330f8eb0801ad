"""The protocol of an export: a format's name, what it makes, and the function that writes it."""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

from vosjax.exports.segmentation import Segmentation


class Export(NamedTuple):
    """A format.

    name      what the user calls it
    suffix    the ending of the file that it makes, such as '.json'; '' if it makes a folder
    endings   the endings of the files in that folder; () if it makes a file
    about     what it makes, in a few words
    write     write(path, segmentation, tell): writes to `path`, which does not exist yet and gets
              its right name afterwards, and calls tell(index) when a frame is done
    in_place  whether `write` itself checks the path and keeps what is there until it is done; then
              it takes `overwrite`, too, and its path is the right one from the beginning
    """

    name: str
    suffix: str
    endings: tuple[str, ...]
    about: str
    write: Callable[..., None]
    in_place: bool = False

    def default_name(self, video: str) -> str:
        """Returns a name for what is made of a video: 'dog_coco.json', 'dog_palette'.

        FORMATS["coco"].default_name("dog")     # 'dog_coco.json'
        """
        return f"{video}_{self.name}{self.suffix}"


Tell = Callable[[int], None]
Write = Callable[[pathlib.Path, Segmentation, Tell], None]
