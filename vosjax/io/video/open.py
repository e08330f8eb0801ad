"""Finds out what kind of video was given, and opens it."""

import dataclasses
import importlib.util
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.io.names import printable
from vosjax.io.video import file_cv
from vosjax.io.video.animation import open_animation
from vosjax.io.video.camera import open_camera
from vosjax.io.video.endings import READABLE, UNREADABLE
from vosjax.io.video.folder import open_folder
from vosjax.io.video.iterable import open_iterable
from vosjax.io.video.network import is_address, open_stream
from vosjax.io.video.types import Video

KINDS = "name a video file, a folder of images or a camera index"


def open_video(source: Any) -> Video:
    """Opens `source`, and reads its first frame to know the size.

        video = open_video("dog.mp4")
        for frame in video.stream(0):
            print(frame.time, frame.image.shape)

    Args:
        source: a video file; a folder of images (see `endings.READABLE`; in the natural order of
            their names without endings, so that `2.jpg` comes before `10.jpg` and `a.jpg` before
            `a (1).jpg`); an image file of several pictures (GIF, WebP, PNG, AVIF, TIFF); a camera
            index as an int or a text of digits (a path of that name takes precedence); an address
            (rtsp://, http://, https://, udp://, rtmp:// and the like); an array uint8
            [T, H, W, 3]; or any iterable of uint8 [H, W, 3] RGB.

    Raises:
        InputError: there is nothing, or it is not a video, or it has no frame, or its first frame
            has another type.
    """
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        return open_camera(int(source))
    if isinstance(source, (str, os.PathLike)):
        return _open_named(source)
    sequence = hasattr(source, "__len__") and hasattr(source, "__getitem__")
    no_frames = isinstance(source, (bytes, bytearray, Mapping))
    if (sequence or isinstance(source, Iterable)) and not no_frames:
        return open_iterable(source)
    raise InputError(
        f"a video was expected, {_called(source)} was given: name a file, a folder, "
        "a camera index or an iterable of uint8 [H, W, 3] frames"
    )


def _called(source: Any) -> str:
    return repr(source) if isinstance(source, bool) else type(source).__name__


def _open_named(source: str | os.PathLike) -> Video:
    path = pathlib.Path(source)
    try:
        if not path.exists():
            path = path.expanduser()
        if not os.fspath(source):  # an empty path would be the current folder
            raise FileNotFoundError
        if path.is_dir():
            return open_folder(path)
        if path.is_file():
            return dataclasses.replace(_open_file(path), files=(path,))
        if path.exists():
            raise InputError(f"video {printable(path)} is no file, but a pipe or a device: {KINDS}")
    except PermissionError as error:
        raise InputError(
            f"video {printable(path)} may not be read (permission denied): change its permissions"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        # a name that no file can have: too long, with a NUL, of a user who does not exist
    text = os.fspath(source)
    if is_address(text):
        return open_stream(text)
    if text.isdecimal():
        return open_camera(int(text[:100]))
    raise InputError(f"there is no video at {printable(source)}: {KINDS}")


def _open_file(path: pathlib.Path) -> Video:
    ending = path.suffix.lower()
    if ending in READABLE:
        return open_animation(path)
    if ending in UNREADABLE:
        raise InputError(
            f"{printable(path)} is one image ({UNREADABLE[ending]}): a video file or a folder of "
            "images is expected"
        )
    if importlib.util.find_spec("av") is None:
        return file_cv.open_file(path)
    from vosjax.io.video import file_av  # nothing else needs PyAV

    return file_av.open_file(path)
