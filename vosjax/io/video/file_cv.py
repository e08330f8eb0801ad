"""Reads video files by OpenCV, where PyAV is missing.

It gives the frames at an even rate. Their own times, hidden frames and lost ones are known only as
far as OpenCV tells them.
"""

import os
import pathlib
from collections.abc import Generator, Iterator

import cv2
import numpy as np

from vosjax.errors import InputError
from vosjax.io.names import printable
from vosjax.io.video.camera import capture
from vosjax.io.video.types import FPS, Findings, Frame, Video, checked

# FFmpeg's own complaints would stand beside the one line of our error.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

FASTEST = 1e7  # frames per second; larger values are a unit of time, not a rate
PATIENCE = 200  # failed reads in a row, after which the video is taken to have ended


def open_file(path: pathlib.Path) -> Video:
    """Opens a video file.

        video = open_file(pathlib.Path("dog.mp4"))

    Raises:
        InputError: the file cannot be read, is not a video, or has no frame that can be decoded.
    """
    name = f"video {printable(path)}"
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError as error:
        raise InputError(f"{name} may not be read ({error.strerror})") from error
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name}: OpenCV takes no such name; rename it, or install PyAV"
        ) from error
    # An absolute path, since FFmpeg takes what stands before a colon for a protocol.
    absolute = os.path.abspath(path)
    with capture(absolute) as device:
        if not device.isOpened():
            raise InputError(
                f"{name} cannot be opened: it is damaged, or of a kind that OpenCV does not read; "
                "convert it to mp4 or to a folder of images"
            )
        fps, frames = device.get(cv2.CAP_PROP_FPS), device.get(cv2.CAP_PROP_FRAME_COUNT)
        first = next(_images(device), None)
    if first is None:
        raise InputError(
            f"{name} has no frame that can be decoded: convert it to mp4 or to a folder of images"
        )
    fps = fps if 0 < fps < FASTEST else FPS
    number = int(frames) if 0 < frames < 1 << 40 else None
    # For other containers, OpenCV multiplies a duration by a rate.
    counted = head[:4] == b"RIFF" or head[4:8] in (b"ftyp", b"moov", b"wide", b"mdat")
    count = number if counted else None
    size, findings = first.shape[:2], Findings()

    def stream(start: int = 0) -> Generator[Frame]:
        index, latest = 0, None
        with capture(absolute) as device:
            for image in _images(device):
                if image is None:
                    findings.missing.add(index)
                else:
                    latest = checked(image, size, index, name)
                if index >= start:
                    rgb = cv2.cvtColor(latest, cv2.COLOR_BGR2RGB)
                    yield Frame(rgb, index / fps, image is None)
                index += 1
        if count is not None and index < count:
            findings.ending = (
                f"{name} announces {count} frames, only {index} could be decoded: "
                "it may be truncated"
            )

    return Video(name, size, count, fps, None, stream, number, findings=findings)


def _images(device: cv2.VideoCapture) -> Iterator[np.ndarray | None]:
    """Yields uint8 [H, W, 3] BGR for each frame, or None for a lost one.

    A failed read is not the end: OpenCV goes on behind the damage when it is asked again.
    """
    begun, failures = False, 0
    while failures <= PATIENCE:
        read, image = device.read()
        if not read:
            failures += 1
            continue
        yield from [None] * (failures * begun)
        begun, failures = True, 0
        yield image
