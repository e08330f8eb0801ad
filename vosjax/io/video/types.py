"""Defines a video: frames that are read lazily, and findings that are worth telling."""

import dataclasses
import pathlib
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError, Note
from vosjax.io.names import some

FPS = 25.0  # if the source gives no rate: folders, iterables


class Frame(NamedTuple):
    """A frame.

    image    uint8 [H, W, 3] RGB
    time     seconds since the first frame; it increases from frame to frame
    missing  whether the recording lost this frame; `image` is then that of the frame before
    """

    image: np.ndarray
    time: float
    missing: bool = False


@dataclasses.dataclass
class Findings:
    """What is worth telling about a video.

    Attributes:
        opening: lines that are known once it is open.
        missing: indices of the frames that could not be decoded.
        damaged: indices of the frames that were decoded with damaged parts.
        clipped: indices of the frames that are brighter than the scale of the video allows.
        beginning: a line about what is lost before the first frame, or ''.
        ending: a line about how the video ended, or ''.
    """

    opening: list[str] = dataclasses.field(default_factory=list)
    missing: set[int] = dataclasses.field(default_factory=set)
    damaged: set[int] = dataclasses.field(default_factory=set)
    clipped: set[int] = dataclasses.field(default_factory=set)
    beginning: str = ""
    ending: str = ""

    def reading(self, name: str) -> list[str]:
        """Returns the findings of reading the video `name`, a line each."""
        lines = [self.beginning] * bool(self.beginning)
        if self.missing:
            lines.append(
                f"{name}: {numbered(self.missing)} cannot be decoded; the masks of the frame "
                "before stand for it"
            )
        if self.damaged:
            lines.append(f"{name}: damaged, but decoded in part: {numbered(self.damaged)}")
        if self.clipped:
            lines.append(
                f"{name}: brighter than the frames that the scale was found from, and white there: "
                f"{numbered(self.clipped)}"
            )
        return lines + [self.ending] * bool(self.ending)


@dataclasses.dataclass(frozen=True)
class Video:
    """A video that is read lazily.

    Attributes:
        name: what messages call it.
        size: (H, W) of every frame.
        count: the number of frames if it is known, else None (cameras, generators, containers that
            store no number or one that cannot be trusted).
        fps: frames per second; the mean if frames have times of their own, 25 if the source gives
            no rate.
        names: file stems of a folder's images in order, else None.
        stream: stream(start) -> iterator of `Frame` from frame `start` on. A folder skips without
            decoding; a file decodes and drops frames, so that it always gives the same ones.
            Cameras, network streams and generators can be read once. Raises InputError for an image
            that cannot be read, and if the size changes.
        estimate: approximate number of frames, if `count` is None and anything is known.
        findings: what is worth telling; it is filled while the video is read.
        files: the files that hold the frames, in order; () if there are none (cameras, network
            streams, arrays).
        once: whether it can be read only once, like cameras, network streams and generators.
        direct: whether `stream(start)` begins anywhere without reading what lies before.
        seek: seek(times) -> the frames at these times (ascending, as `Frame.time`), found by the
            container's own index. This is fast but not certain: some containers lead elsewhere, so
            that frames are missing or differ from those of `stream`. None if seeking is impossible.
    """

    name: str
    size: tuple[int, int]
    count: int | None
    fps: float
    names: tuple[str, ...] | None
    stream: Callable[[int], Generator[Frame]]
    estimate: int | None = None
    findings: Findings = dataclasses.field(default_factory=Findings)
    files: tuple[pathlib.Path, ...] = ()
    once: bool = False
    direct: bool = False
    seek: Callable[[Sequence[float]], Iterator[Frame]] | None = None

    @property
    def length(self) -> int | None:
        """`count`, or else the estimate."""
        return self.estimate if self.count is None else self.count

    @property
    def missing(self) -> list[int]:
        """The frames, of those read so far, that could not be decoded."""
        return sorted(self.findings.missing)

    @property
    def notes(self) -> list[str]:
        """Everything worth telling so far, a line each."""
        return self.findings.opening + self.findings.reading(self.name)

    def frames(self, start: int = 0) -> Iterator[np.ndarray]:
        """Yields the images alone, uint8 [H, W, 3] RGB, from frame `start` on.

            for image in open_video("dog.mp4").frames():
                print(image.mean())

        At the end, the findings of reading are given as warnings.
        """
        for frame in self.stream(start):
            yield frame.image
        for line in self.findings.reading(self.name):
            warnings.warn(line, Note, stacklevel=2)


def numbered(frames: Iterable[int], most: int = 6) -> str:
    """Returns 'frame 5', or '9 frames (5, 7-9, ...)'.

    numbered([5])       # 'frame 5'
    """
    frames = sorted(frames)
    if len(frames) == 1:
        return f"frame {frames[0]}"
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    return f"{len(frames)} frames ({some(texts, most)})"


def checked(image: Any, size: tuple[int, ...] | None, index: int, name: Any) -> np.ndarray:
    """Returns `image` as an array, after checking that it is uint8 [H, W, 3] of the expected size.

        image = checked(image, (480, 854), 12, "the video")

    Args:
        image: the image.
        size: (H, W) that it must have; None for any.
        index: index of the frame, for the message.
        name: what the message calls the video.

    Raises:
        InputError: it is anything else; the message names the frame.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            f"frame {index} of {name} must be uint8 [H, W, 3] RGB, got {image.dtype} "
            f"{list(image.shape)}"
        )
    check_size(image.shape[:2], size, index, name)
    return image


def check_size(shape: tuple[int, ...], size: tuple[int, ...] | None, index: int, name: Any) -> None:
    """Raises InputError, naming the frame, unless its (H, W) is `size`; None allows any.

    check_size(image.shape[:2], (480, 854), 12, "the video")
    """
    if size is not None and tuple(shape) != tuple(size):
        raise InputError(
            f"frame {index} of {name} is {shape[1]}x{shape[0]}, the first is "
            f"{size[1]}x{size[0]} (width x height): all frames of a video must have one size"
        )
