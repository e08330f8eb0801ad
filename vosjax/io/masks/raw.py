"""A mask before its meaning is known: the values of one page, and the frame that its file tells."""

from typing import Literal, NamedTuple

import numpy as np

Kind = Literal["numbers", "greys", "indices", "colours", "objects", "painted", "listed"]


class Raw(NamedTuple):
    """The values of one mask.

    name     what messages call it, such as 'mask first.png'
    what     its kind in words, such as 'a palette image'
    kind     what `values` [H, W] are:
             'numbers'  ids, as they are
             'greys'    ids of 8 bits, which may be the shades of a smoothed drawing
             'indices'  uint8, into `palette`
             'colours'  int32, packed r << 16 | g << 8 | b; transparent pixels are 0
             'objects'  uint16, 1 + an index into `objects`
             'painted'  colours that have been turned into ids
             'listed'   objects that have been turned into ids
    palette  uint8 [256, 4] RGBA; entries that the file does not have are DAVIS' colours
    objects  (label, group, n) of each object of an annotation file, the same for the same object in
             every file; n numbers the objects of one label that have no group
    doubts   what could have been read otherwise, in sentences
    """

    name: str
    what: str
    kind: Kind
    values: np.ndarray
    palette: np.ndarray | None = None
    objects: tuple[tuple[str, str | None, int], ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def entries(self) -> np.ndarray:
        """The palette of a mask of 'indices'."""
        assert self.palette is not None
        return self.palette


class Page(NamedTuple):
    """A mask of a file.

    raw    its values
    frame  the frame's index (stacks) or name (annotations); None if the file has one mask
    """

    raw: Raw
    frame: int | str | None


class TargetVideo(NamedTuple):
    """What is known of the video that masks are for.

    size   (H, W); None if it is not known
    count  the number of frames; None if it is not known for certain
    names  names of the frames; None if they have none
    """

    size: tuple[int, int] | None = None
    count: int | None = None  # type: ignore[assignment]  # hides `tuple.count`
    names: tuple[str, ...] | None = None
