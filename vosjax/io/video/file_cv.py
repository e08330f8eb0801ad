"""Video files through OpenCV, where PyAV is missing.

It gives the frames, at an even rate: times of their own, hidden frames and lost ones are known only
as far as OpenCV lets on.
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

# FFmpeg's own complaints would stand beside the one line that an error of ours prints.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

FASTEST = 1e7  # frames per second; what is above is a unit of time, not a rate
PATIENCE = 200  # failed reads in a row that may yet be damage, not the end


def open_file(path: pathlib.Path) -> Video:
    """A video file.

    Raises:
        InputError: it may not be read, is no video, or holds no frame that can be decoded.
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
    # An absolute path, for FFmpeg takes what stands before a colon as a protocol.
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
    # Of other containers OpenCV multiplies a duration by a rate.
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
    """uint8 [H, W, 3] BGR of each frame, None for one that is lost.

    A read that fails is no end: OpenCV goes on behind the damage when it is asked again.
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
