"""The protocol of a source of videos, the same for plain folders and prepared datasets.

    len(source)                      the number of videos
    source.names                     their names, in order
    source.header(video)             what is known of a video without decoding its pictures
    source.read(video, frames)       frames as stored
    source.locate(video, frame)      what error messages call a frame's two files

Training draws clips from a source, evaluation reads frames, given masks and truth from it, and
`unpack` writes it back as a folder. Videos and frames go by their indices. A source is small,
hashable and picklable: every process opens the files for itself.
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
    """One frame as stored.

    name   of the frame: its file's stem
    image  bytes of a JPEG or PNG
    mask   bytes of a label PNG; b'' where the frame has none
    """

    name: str
    image: bytes
    mask: bytes


class Origin(NamedTuple):
    """What error messages call a frame's image and mask: their paths, where they have some."""

    image: str
    mask: str


class MaskSummary(NamedTuple):
    """What one mask shows.

    name    what error messages call it
    size    (height, width)
    pixels  {value: number of pixels} of all values but 0; 255 (void) is among them if it occurs
    """

    name: str
    size: tuple[int, int]
    pixels: Mapping[int, int]


class Announced(NamedTuple):
    """What a dataset's list says of an object: its category ('' for none), its first frame."""

    category: str
    first: int


@dataclasses.dataclass(frozen=True, eq=False)
class Header:
    """What is known of a video of T frames; pictures are opened only for what asks for them.

    Attributes:
        name: of the video.
        length: T.
        annotated: indices of the frames that have a mask, rising.
        measure: finds the size, (height, width), of the first frame.
        summarize: tells what the mask of an annotated frame shows.
        names: the T frame names; () where the source keeps them with the pictures (`frame_names`).
        fps: frames per second; 0.0 where it is not known.
        listed: indices of the frames that the dataset lists as scored, rising; () for no list.
        announced: what the dataset's list says of every object, by its id; {} for no list.
        released: indices of the frames for which an evaluation server wants masks, rising.
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
        """What the mask of an annotated frame shows; it is read once.

        Raises:
            InputError: it cannot be read.
        """
        if frame not in self._masks:
            self._masks[frame] = self.summarize(frame)
        return self._masks[frame]

    @functools.cached_property
    def ids(self) -> IntArray:
        """The ids, int [N] and rising, of all objects that some mask shows; reads every mask.

        Raises:
            InputError: a mask cannot be read.
        """
        return np.array(sorted({i for t in self.annotated for i in self._objects(t)}), int)

    @functools.cached_property
    def areas(self) -> IntArray:
        """Pixels, int [T, N], of each of `ids` in each frame; -1 where a frame has no mask.

        Raises:
            InputError: a mask cannot be read, or its size is not the frames'.
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
        """The names of the categories of `ids`; '' where the dataset names none."""
        nameless = Announced("", 0)
        return tuple(self.announced.get(i, nameless).category for i in self.ids.tolist())

    def _objects(self, frame: int) -> Mapping[int, int]:
        """{id: pixels} of a mask by the rule of `decode.mask`: 255 alone is the one object."""
        pixels = self.mask(frame).pixels
        if set(pixels) == {IGNORE}:
            return {1: pixels[IGNORE]}
        return {i: count for i, count in pixels.items() if i != IGNORE}


class Source(Protocol):
    """A source of videos; `folders.Folder` and `prepared.Videos` are the two that there are."""

    @property
    def names(self) -> tuple[str, ...]:
        """The videos' names, in the order of their indices."""

    def __len__(self) -> int:
        """The number of videos."""

    def header(self, video: int) -> Header:
        """What is known of a video; asking again costs nothing.

        Raises:
            InputError: its files cannot be found.
        """

    def read(self, video: int, frames: Iterable[int], *, images: bool = True) -> list[Encoded]:
        """Frames of a video, in the order asked for.

        Args:
            video: its index.
            frames: their indices; one may be asked for more than once.
            images: False leaves the pictures out (b'') where that saves reading them.

        Raises:
            InputError: a file cannot be read.
        """

    def locate(self, video: int, frame: int) -> Origin:
        """What error messages call a frame's image and mask."""


def frame_names(source: Source, video: int) -> tuple[str, ...]:
    """The names of all frames of a video, wherever the source keeps them.

        source = catalog.open_videos("DAVIS", split="val")
        frame_names(source, 0)  # ('00000', '00001', ...)

    A prepared dataset keeps them with the pictures, so that the whole video is read.

    Raises:
        InputError: a record cannot be read, or two frames have one name.
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
