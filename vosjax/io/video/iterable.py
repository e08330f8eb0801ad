"""Reads arrays, lists and generators of frames as videos."""

from collections.abc import Generator, Iterable, Iterator
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.io.video.types import FPS, Findings, Frame, Video, checked


def open_iterable(source: Iterable) -> Video:
    """Opens an array uint8 [T, H, W, 3], or a list or other iterable of uint8 [H, W, 3].

        video = open_iterable(np.zeros((24, 480, 854, 3), np.uint8))

    Frames are copied as they are taken, since their owner may use the memory again; a generator may
    yield the same buffer each time.

    Raises:
        InputError: there is no frame, or the first one has another type or shape.
    """
    if isinstance(source, np.ndarray) and source.ndim != 4:
        raise InputError(
            f"an array of frames must be uint8 [T, H, W, 3], got {source.dtype} "
            f"{list(source.shape)}"
        )
    if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
        return open_once(
            (Frame(image, index / FPS) for index, image in enumerate(_images(source))),
            "the iterable",
            fps=FPS,
        )
    frames: Any = source
    if not len(frames):
        raise InputError("the video has no frames: at least one uint8 [H, W, 3] frame is expected")
    size = checked(frames[0], None, 0, "the video").shape[:2]

    def stream(start: int = 0) -> Generator[Frame]:
        for index in range(start, len(frames)):
            image = checked(np.array(frames[index]), size, index, "the video")
            yield Frame(image, index / FPS)

    return Video("the video", size, len(frames), FPS, None, stream, direct=True)


def _images(source: Iterable) -> Iterator[np.ndarray]:
    for image in source:
        yield np.array(image)


def open_once(
    frames: Iterator[Frame],
    name: str,
    *,
    fps: float,
    findings: Findings | None = None,
    first: Frame | None = None,
) -> Video:
    """Makes a video that can be read once.

        video = open_once(frames, "camera 0", fps=30)

    Args:
        frames: the frames from the first one on or, if `first` is given, from the second one on.
        name: what messages call the video.
        fps: frames per second.
        findings: where to note what is found while reading.
        first: the first frame, if it has been taken already.
    """
    first = next(frames, None) if first is None else first
    if first is None:
        raise InputError(f"{name} gave no frame: at least one uint8 [H, W, 3] frame is expected")
    size = checked(first.image, None, 0, name).shape[:2]
    rest = [(first, frames)]  # empty once it has been read

    def stream(start: int = 0) -> Generator[Frame]:
        if not rest:
            raise InputError(
                f"{name} has been read already and cannot be rewound: open it again, "
                "or give a list, a file or a folder"
            )
        frame: Frame | None
        (frame, frames), index = rest.pop(), 0
        try:
            while frame is not None:
                checked(frame.image, size, index, name)
                if index >= start:
                    yield frame
                frame, index = next(frames, None), index + 1
        finally:
            if hasattr(frames, "close"):
                frames.close()

    return Video(name, size, None, fps, None, stream, findings=findings or Findings(), once=True)
