"""The protocol of a source of videos, the same for plain folders and prepared datasets.

    len(source)                      the number of videos
    source.names                     their names, in order
    source.header(video)             what is known of a video without decoding its pictures
    source.read(video, frames)       frames as they are stored
    source.locate(video, frame)      what error messages call a frame's two files

Training draws clips from a source, evaluation reads frames, given masks and truth from it, and
`unpack` writes it back to a folder. Videos and frames are named by their indices. A source is
small, hashable and picklable; every process opens the files for itself.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from vosjax.datasets.decode import IGNORE
from vosjax.errors import InputError

IntArray = npt.NDArray[np.int_]


class Encoded(NamedTuple):
    """A frame as it is stored.

    name   the frame's name, which is its file's stem
    image  content of a JPEG or PNG
    mask   content of a label PNG; b'' if the frame has none
    """

    name: str
    image: bytes
    mask: bytes


class Origin(NamedTuple):
    """What error messages call a frame's image and mask: their paths, if they have some."""

    image: str
    mask: str


class MaskSummary(NamedTuple):
    """The objects of one mask.

    name    what error messages call the mask
    size    (height, width)
    pixels  {value: number of pixels} of all values but 0; 255 (void) is included if it occurs
    """

    name: str
    size: tuple[int, int]
    pixels: Mapping[int, int]


class Announced(NamedTuple):
    """What a dataset's list says of an object: its category ('' for none), and its first frame."""

    category: str
    first: int


@dataclasses.dataclass(frozen=True, eq=False)
class Header:
    """What is known of a video of T frames; pictures are opened only for the parts that need them.

    Attributes:
        name: name of the video.
        length: T.
        annotated: indices of the frames that have a mask, ascending.
        measure: returns the size, (height, width), of the first frame.
        summarize: returns the `MaskSummary` of an annotated frame.
        names: the T frame names; () if the source keeps them with the pictures (`frame_names`).
        fps: frames per second; 0.0 if it is not known.
        listed: indices of the frames that the dataset lists as scored, ascending; () for no list.
        announced: {id: what the dataset's list says of the object}; {} for no list.
        released: indices of the frames for which an evaluation server wants masks, ascending.
        missing: names of listed frames that have no picture.
        stray: names of masks that belong to no frame.
    """

    name: str
    length: int
    annotated: tuple[int, ...]
    measure: Callable[[], tuple[int, int]]
    summarize: Callable[[int], MaskSummary]
    names: tuple[str, ...] = ()
    fps: float = 0.0
    listed: tuple[int, ...] = ()
    announced: Mapping[int, Announced] = dataclasses.field(default_factory=dict)
    released: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()
    stray: tuple[str, ...] = ()
    _masks: dict[int, MaskSummary] = dataclasses.field(default_factory=dict, init=False, repr=False)

    @functools.cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames.

        Raises:
            InputError: the first frame cannot be read.
        """
        return self.measure()

    def mask(self, frame: int) -> MaskSummary:
        """Returns the summary of an annotated frame's mask, which is read once.

        Raises:
            InputError: the mask cannot be read.
        """
        if frame not in self._masks:
            self._masks[frame] = self.summarize(frame)
        return self._masks[frame]

    @functools.cached_property
    def ids(self) -> IntArray:
        """The ids, int [N] in ascending order, of all objects in any mask; reads every mask.

        Raises:
            InputError: a mask cannot be read.
        """
        return np.array(sorted({i for t in self.annotated for i in self._objects(t)}), int)

    @functools.cached_property
    def areas(self) -> IntArray:
        """Pixels, int [T, N], of each of the `ids` in each frame; -1 for a frame without a mask.

        Raises:
            InputError: a mask cannot be read, or its size is not that of the frames.
        """
        areas = np.full((self.length, len(self.ids)), -1)
        for t in self.annotated:
            mask, pixels = self.mask(t), self._objects(t)
            if mask.size != self.size:
                raise InputError(
                    f"{mask.name} is {mask.size[1]}x{mask.size[0]}, its frame "
                    f"{self.size[1]}x{self.size[0]} (width x height): masks must have the size "
                    "of the frames"
                )
            areas[t] = [pixels.get(i, 0) for i in self.ids.tolist()]
        return areas

    @property
    def categories(self) -> tuple[str, ...]:
        """The category names of the `ids`; '' where the dataset names none."""
        nameless = Announced("", 0)
        return tuple(self.announced.get(i, nameless).category for i in self.ids.tolist())

    def _objects(self, frame: int) -> Mapping[int, int]:
        """Returns {id: pixels} of a mask, where 255 alone is the one object as in `decode.mask`."""
        pixels = self.mask(frame).pixels
        if set(pixels) == {IGNORE}:
            return {1: pixels[IGNORE]}
        return {i: count for i, count in pixels.items() if i != IGNORE}


class Source(Protocol):
    """A source of videos, implemented by `folders.Folder` and `prepared.Videos`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the videos, in the order of their indices."""

    def __len__(self) -> int:
        """Returns the number of videos."""

    def header(self, video: int) -> Header:
        """Returns what is known of a video; asking again costs nothing.

        Raises:
            InputError: its files cannot be found.
        """

    def read(self, video: int, frames: Iterable[int], *, images: bool = True) -> list[Encoded]:
        """Reads frames of a video, in the given order.

            first, last = source.read(0, [0, 2])

        Args:
            video: index of the video.
            frames: indices of the frames, possibly with repetitions.
            images: False leaves the pictures out (b''), if that saves reading them.

        Raises:
            InputError: a file cannot be read.
        """

    def locate(self, video: int, frame: int) -> Origin:
        """Returns what error messages call a frame's image and mask."""


def frame_names(source: Source, video: int) -> tuple[str, ...]:
    """Returns the names of all frames of a video, wherever the source keeps them.

        source = catalog.open_videos("DAVIS", split="val")
        frame_names(source, 0)  # ('00000', '00001', ...)

    A prepared dataset keeps them with the pictures, so the whole video is read.

    Raises:
        InputError: a record cannot be read, or two frames have the same name.
    """
    header = source.header(video)
    frames = () if header.names else source.read(video, range(header.length), images=False)
    names = header.names or tuple(frame.name for frame in frames)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(
            f"video {header.name} has two frames named {twice}: their masks would have one name; "
            "rename or remove one of them"
        )
    return names
