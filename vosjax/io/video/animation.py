"""Reads an image file of several pictures (GIF, WebP, PNG, AVIF, TIFF stacks) as a video."""

import pathlib
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.io.names import printable
from vosjax.io.video.depth import Scale, find_scale, is_deep, read_levels, scale_notes, spread
from vosjax.io.video.images import check_pixels, opened, read_page
from vosjax.io.video.types import FPS, Findings, Frame, Video, checked

SHORTEST = 0.011  # seconds; pictures with less are shown for UNSAID, as browsers do
UNSAID = 0.1
STILLS = ("MPO", "JPEG", "ICO", "ICNS")  # pictures of one scene in several sizes or views


def open_animation(path: pathlib.Path) -> Video:
    """Opens the pictures of an image file as frames, with the times at which they are shown.

        video = open_animation(pathlib.Path("dog.gif"))

    A TIFF stack has no times, and gets 25 frames per second.

    Raises:
        InputError: the file has only one picture, or cannot be read.
    """
    name = f"video {printable(path)}"
    with opened(path, printable(path)) as image:
        check_pixels(image.size[::-1], printable(path))
        count = getattr(image, "n_frames", 1)
        if count < 2 or image.format in STILLS:
            raise InputError(
                f"{printable(path)} is one image: a video file or a folder of images is expected"
            )
        times, seconds = _times(image, count)
        image.seek(0)
        size = read_page(image, path, Scale())[0].shape[:2]
        scale = find_scale(_sample(image, path, count), name)
    findings = Findings(scale_notes(scale, count, name))

    def stream(start: int = 0) -> Generator[Frame]:
        with opened(path, printable(path)) as image:
            for index in range(start, count):
                picture, above = _picture(image, index, path, scale)
                if above:
                    findings.clipped.add(index)
                yield Frame(checked(picture, size, index, name), times[index])

    return Video(name, size, count, count / seconds, None, stream, findings=findings)


def _picture(image: Any, index: int, path: pathlib.Path, scale: Scale) -> tuple[np.ndarray, bool]:
    try:
        image.seek(index)
        return read_page(image, path, scale)
    except Exception as error:  # decoders may raise anything for damaged data
        raise InputError(
            f"frame {index} of {printable(path)} cannot be read ({error}): the file is damaged"
        ) from error


def _times(image: Any, count: int) -> tuple[list[float], float]:
    """Returns when each picture is shown, and how long all of them take, in seconds."""
    times, now = [], 0.0
    for index in range(count):
        times.append(now)
        image.seek(index)
        if image.format == "TIFF":
            now = (index + 1) / FPS
        else:
            image.load()  # WebP and AVIF give a picture's time only after decoding it
            seconds = image.info.get("duration", 0) / 1000
            now += UNSAID if seconds < SHORTEST else seconds
    return times, now


def _sample(image: Any, path: pathlib.Path, count: int) -> Iterator[np.ndarray]:
    for index in spread(count):
        image.seek(index)
        if is_deep(image):
            yield read_levels(image, path)
