"""What is exported: the frames of a video, the masks of some of them, and the objects' names."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.names import printable
from vosjax.io.palette import DAVIS
from vosjax.io.pictures import check_size
from vosjax.io.video import Frame, Video

HIGHEST = 255  # the largest object id

Colour = tuple[int, int, int]
Masks = Mapping[int, Any]  # {frame index: [H, W] of object ids}, read when a frame is asked for


class Object(NamedTuple):
    """An object of the video.

    id      1 to 255
    name    what the user calls it; '' without a name
    colour  (red, green, blue), 0 to 255 each; None takes the colour of its id in DAVIS' palette
    score   how sure its masks are, 0 to 1; only results for an evaluation hold it
    """

    id: int
    name: str = ""
    colour: Colour | None = None
    score: float = 1.0


@dataclasses.dataclass(frozen=True)
class Segmentation:
    """A video with masks.

    Attributes:
        video: the video.
        masks: {frame index: integers or bool [H, W], object ids, 0 the background}, for the frames
            that have a mask. A mapping that reads a mask when it is asked for it keeps memory low:
            every mask is asked for once, in the order of frames.
        name: name of the video in what is written.
        objects: what is known of objects, by their ids; others are named by their ids.
    """

    video: Video
    masks: Masks
    name: str
    objects: Mapping[int, Object] = dataclasses.field(default_factory=dict)

    def stem(self, index: int) -> str:
        """Returns the name of a frame: its file's stem, or else its number in five digits."""
        return f"{index:05d}" if self.video.names is None else self.video.names[index]

    def object(self, id: int) -> Object:
        """Returns what is known of an object; its name is never empty."""
        known = self.objects.get(id, Object(id))
        return known if known.name.strip() else known._replace(name=f"object {id}")

    def palette(self, *, distinct: bool = False) -> np.ndarray:
        """Returns the colours of ids 0 to 255, uint8 [256, 3]; id 0 is black.

        Args:
            distinct: whether an object gets another colour where its own is black or that of
                another object, so that colours tell objects apart.
        """
        palette = DAVIS.copy()
        for id, known in self.objects.items():
            if known.colour is not None:
                palette[id] = known.colour
        if not distinct:
            return palette
        taken = {(0, 0, 0)}
        for id in sorted(range(1, 256), key=lambda id: id not in self.objects):
            colours = (tuple(colour.tolist()) for colour in (palette[id], *DAVIS[id:], *DAVIS))
            colour = next(colour for colour in colours if colour not in taken)
            taken.add(colour)
            palette[id] = colour
        return palette

    def labels(self, index: int) -> np.ndarray:
        """Returns the mask of a frame that has one, uint8 [H, W].

        Raises:
            InputError: the mask is not of the video's size, or has an id above 255.
        """
        return checked_labels(self.masks[index], self.video.size, f"the mask of frame {index}")

    def labelled(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the index and the mask, uint8 [H, W], of every frame that has a mask."""
        for index in sorted(map(int, self.masks)):
            yield index, self.labels(index)

    def shown(self) -> Iterator[tuple[int, Frame, np.ndarray]]:
        """Yields the index, frame and mask, uint8 [H, W], of every frame; 0 where it has no mask.

        Raises:
            InputError: a frame or a mask cannot be read, or there is a mask behind the last frame.
        """
        index = -1
        with contextlib.closing(self.video.stream(0)) as stream:
            for index, frame in enumerate(stream):
                has_mask = index in self.masks
                labels = self.labels(index) if has_mask else np.zeros(self.video.size, np.uint8)
                yield index, frame, labels
        self.check_reached(index + 1)

    def check_reached(self, length: int) -> None:
        """Raises InputError if there is a mask for a frame that the video does not have."""
        beyond = [index for index in self.masks if not 0 <= index < length]
        if beyond:
            raise InputError(
                f"there is a mask for frame {min(beyond)}, and {self.video.name} has {length} "
                "frames, counted from 0: give the video that the masks are of"
            )


def checked_labels(labels: Any, size: tuple[int, int], name: str) -> np.ndarray:
    """Checks a mask, and returns it as uint8 [H, W].

        checked_labels(labels, labels.shape, "the mask of frame 0")

    Args:
        labels: the mask.
        size: (H, W) of the video.
        name: what messages call the mask.

    Raises:
        InputError: it is no array of integers or bool [H, W], has another size, or an id below 0
            or above 255.
    """
    array = np.asarray(labels)
    if array.ndim != 2 or array.dtype.kind not in "bui":
        raise InputError(
            f"{name} is {array.dtype} {list(array.shape)}: integers [H, W] of object ids are "
            "expected"
        )
    check_size((array.shape[0], array.shape[1]), size, name)
    if array.dtype not in (np.uint8, bool):
        lowest, highest = int(array.min(initial=0)), int(array.max(initial=0))
        if lowest < 0 or highest > HIGHEST:
            raise InputError(
                f"{name} holds ids from {lowest} to {highest}; 0 to {HIGHEST} are expected: "
                "renumber the objects"
            )
    return array.astype(np.uint8)


def object_ids(labels: np.ndarray) -> list[int]:
    """Returns the ids of a mask, uint8 [H, W], in ascending order, without 0.

    object_ids(labels)      # [1, 2]
    """
    counts = np.bincount(labels.reshape(-1), minlength=1)
    counts[0] = 0
    return np.flatnonzero(counts).tolist()


def checked_object(known: Object) -> Object:
    """Checks what was given of an object, and returns it.

        checked_object(Object(1, "dog", (200, 40, 40)))

    Raises:
        InputError: the id, the name or the colour cannot be one.
    """
    if not isinstance(known.id, int) or not 1 <= known.id <= HIGHEST:
        raise InputError(f"an object has the id {printable(known.id)}: 1 to {HIGHEST} are expected")
    if not isinstance(known.name, str):
        kind = type(known.name).__name__
        raise InputError(f"the name of object {known.id} is {kind}: a text is expected")
    colour = known.colour
    if colour is not None and not (
        len(colour) == 3 and all(int(part) == part and 0 <= part <= 255 for part in colour)
    ):
        raise InputError(
            f"the colour of object {known.id} is {printable(colour)}: red, green and blue from 0 "
            "to 255 are expected"
        )
    return known
