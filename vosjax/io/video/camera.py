"""Reads cameras, by their index."""

import contextlib
import time
from collections.abc import Generator, Iterator
from typing import Any

import cv2

from vosjax.errors import InputError, shown
from vosjax.io.video.iterable import open_once
from vosjax.io.video.prefetch import interruptibly
from vosjax.io.video.types import FPS, Frame, Video

INDICES = 100  # OpenCV takes larger ones for the number of a driver, or crashes


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Silences OpenCV's own messages inside the block, beside the one line of an error of ours.

    with hushed():
        device = cv2.VideoCapture("dog.mp4")
    """
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


@contextlib.contextmanager
def capture(source: int | str) -> Iterator[cv2.VideoCapture]:
    """Opens a cv2.VideoCapture for the block; OpenCV's own messages are silenced meanwhile.

    with capture(0) as device:
        device.read()
    """
    with hushed():
        device = cv2.VideoCapture(source)
    try:
        yield device
    finally:
        device.release()


def open_camera(index: int) -> Video:
    """Opens the camera of an index; its frames have the times at which they arrived.

        video = open_camera(0)

    Raises:
        InputError: no camera can have this index, there is none, or it gives no frame.
    """
    if not 0 <= index < INDICES:
        raise InputError(
            f"there is no camera {shown(index)}: cameras count from 0 to {INDICES - 1}; name one "
            "of those, or a video file"
        )
    name = f"camera {index}"

    def read() -> Generator[Any, None, None]:
        with capture(index) as device:
            if not device.isOpened():
                raise InputError(
                    f"{name} cannot be opened: check that it is connected and "
                    "not in use, or name a video file"
                )
            yield device.get(cv2.CAP_PROP_FPS)
            begin = None
            while (answer := device.read())[0]:
                now = time.monotonic()
                begin = now if begin is None else begin
                yield Frame(cv2.cvtColor(answer[1], cv2.COLOR_BGR2RGB), now - begin)

    frames = read()
    fps, first = interruptibly(lambda: (next(frames), next(frames, None)))
    return open_once(frames, name, fps=fps if fps > 0 else FPS, first=first)
