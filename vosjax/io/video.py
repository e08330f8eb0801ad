"""Any video as uint8 RGB frames, one at a time: files, folders of images, cameras and iterables."""

import contextlib
import itertools
import os
import pathlib
import queue
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

from vosjax.errors import InputError

# FFmpeg's own complaints would stand beside the one line that an error of ours prints.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
FPS = 25.0  # where the source names none: folders, iterables


class Video(NamedTuple):
    """A video that is read lazily.

    size    (H, W) of every frame
    count   number of frames; None where it is not known before the end (cameras, generators), and
            only an estimate for video files, whose containers may say anything
    fps     frames per second; 25 where the source names none
    names   file stems of a folder's images in order, else None
    frames  frames(start=0) -> iterator of uint8 [H, W, 3] RGB from frame `start` on. A folder skips
            without decoding, a file decodes and drops. Cameras and generators can be read once.
            Raises InputError at a damaged frame and where the size changes.
    """

    size: tuple[int, int]
    count: int | None
    fps: float
    names: tuple[str, ...] | None
    frames: Callable[..., Iterator[np.ndarray]]


def open_video(source) -> Video:
    """Opens `source` and reads its first frame to know the size.

    Args:
        source: a video file that OpenCV reads; a folder of images (jpg, png, webp, bmp; in natural
            order, so `2.jpg` comes before `10.jpg`); a camera index as an int or a string of digits
            (a path of that name goes first); an array uint8 [T, H, W, 3]; or any iterable of
            uint8 [H, W, 3] RGB.

    Raises:
        InputError: nothing there, not a video, no frame in it, or a first frame of wrong type.
    """
    if isinstance(source, bool):
        raise InputError(
            f"a video was expected, {source!r} was given: name a file, a folder, "
            "a camera index or an iterable of uint8 [H, W, 3] frames"
        )
    if isinstance(source, (int, np.integer)):
        return _open_camera(int(source))
    if isinstance(source, (str, os.PathLike)):
        path = pathlib.Path(source).expanduser()
        if path.is_dir():
            return _open_folder(path)
        if path.is_file():
            return _open_file(path)
        if str(source).isdecimal():
            return _open_camera(int(source))
        raise InputError(
            f"there is no video at {source}: name a video file, a folder of images "
            "or a camera index"
        )
    if isinstance(source, Iterable):
        return _open_iterable(source)
    raise InputError(
        f"a video was expected, {type(source).__name__} was given: name a file, a "
        "folder, a camera index or an iterable of uint8 [H, W, 3] frames"
    )


def prefetch(iterable: Iterable, depth: int = 4) -> Iterator:
    """Iterates `iterable` in a background thread, up to `depth` items ahead.

    An exception of the iterable is raised in its place in the order. Closing the generator (or
    leaving the loop and dropping it) stops the thread and closes the iterable, in that thread.
    """
    if depth < 1:
        raise ValueError(f"prefetch: depth must be at least 1, got {depth}")
    items, stop = queue.Queue(maxsize=depth), threading.Event()

    def work():
        end = None
        iterator = None
        try:
            iterator = iter(iterable)
            for item in iterator:
                items.put((item,))
                if stop.is_set():
                    break
        except BaseException as error:  # whatever it is belongs to the reader
            end = error
        if hasattr(iterator, "close"):
            with contextlib.suppress(Exception):
                iterator.close()
        items.put(end)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while isinstance(item := items.get(), tuple):
            yield item[0]
        if item is not None:
            raise item
    finally:
        stop.set()
        # A blocked `put` needs room; after that the thread sees `stop` and puts only its end.
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                items.get(timeout=0.05)
        thread.join()


def natural(name: str) -> list:
    """A sort key that takes runs of digits as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts if p]


def read_image(path, *, name=None) -> np.ndarray:
    """One image file as uint8 [H, W, 3] RGB, turned upright by its EXIF note, alpha dropped.

    Pillow, as it refuses a truncated JPEG that OpenCV would fill with grey. `path` may also be an
    open file of bytes; `name` is what messages then call it.

    Raises:
        InputError: missing or damaged.
    """
    name = path if name is None else name
    try:
        with Image.open(path) as image:
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16 bits of grey
                grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
                return np.repeat(grey[..., None], 3, axis=2)
            return np.array(image.convert("RGB"))
    except FileNotFoundError as error:
        raise InputError(f"there is no image at {name}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"image {name} cannot be read ({error}): replace it, it is damaged or not an image"
        ) from error


def _open_folder(path: pathlib.Path) -> Video:
    files = sorted(
        (f for f in path.iterdir() if f.suffix.lower() in IMAGES and not f.name.startswith(".")),
        key=lambda f: natural(f.name),
    )
    if not files:
        raise InputError(
            f"folder {path} holds no image: frames are expected as "
            f"{', '.join(e[1:] for e in IMAGES)}"
        )
    names = tuple(f.stem for f in files)
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise InputError(
            f"folder {path} holds two images named {name}: keep the masks of a video "
            "in another folder than its frames"
        )

    def read(index):
        try:
            return read_image(files[index])
        except InputError as error:
            raise InputError(f"frame {index}: {error}") from error

    first = read(0)
    size = first.shape[:2]

    def frames(start=0):
        for index in range(start, len(files)):
            yield _checked(first if index == 0 else read(index), size, index, files[index])

    return Video(size, len(files), FPS, names, frames)


@contextlib.contextmanager
def _capture(source):
    """An open cv2.VideoCapture; OpenCV's own messages are kept back while it opens."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(source)
    finally:
        cv2.utils.logging.setLogLevel(level)
    try:
        yield capture
    finally:
        capture.release()


def _open_file(path: pathlib.Path) -> Video:
    if path.suffix.lower() in IMAGES:
        raise InputError(f"{path} is one image: a video file or a folder of images is expected")
    with _capture(str(path)) as capture:
        if not capture.isOpened():
            raise InputError(
                f"video {path} cannot be opened: it is damaged, or of a kind that "
                "OpenCV does not read; convert it to mp4 or to a folder of images"
            )
        ok, first = capture.read()
        if not ok or first is None:
            raise InputError(
                f"video {path} has no frame that can be decoded: convert it to mp4 or "
                "to a folder of images"
            )
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        fps = capture.get(cv2.CAP_PROP_FPS)
    size = first.shape[:2]
    count = count if count > 0 else None

    def frames(start=0):
        with _capture(str(path)) as capture:
            index = 0
            while index < start and capture.grab():
                index += 1
            while index >= start:
                ok, frame = capture.read()
                if not ok:
                    break
                frame = _checked(frame, size, index, path)
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                index += 1
        if count is not None and index < 0.9 * count:
            warnings.warn(
                f"video {path} announces {count} frames, only {index} could be decoded: "
                "it may be truncated",
                stacklevel=2,
            )

    return Video(size, count, fps if 0 < fps < 1000 else FPS, None, frames)


def _open_camera(index: int) -> Video:
    def read():
        with _capture(index) as capture:
            if not capture.isOpened():
                raise InputError(
                    f"camera {index} cannot be opened: check that it is connected and "
                    "not in use, or name a video file"
                )
            yield capture.get(cv2.CAP_PROP_FPS)
            while (answer := capture.read())[0]:
                yield cv2.cvtColor(answer[1], cv2.COLOR_BGR2RGB)

    stream = read()
    fps = next(stream)
    video = _once(stream, f"camera {index}")
    return video._replace(fps=fps if 0 < fps < 1000 else FPS)


def _open_iterable(source: Iterable) -> Video:
    if isinstance(source, np.ndarray) and source.ndim != 4:
        raise InputError(
            f"an array of frames must be uint8 [T, H, W, 3], got {source.dtype} "
            f"{list(source.shape)}"
        )
    if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
        return _once(iter(source), "the iterable")
    if not len(source):
        raise InputError("the video has no frames: at least one uint8 [H, W, 3] frame is expected")
    size = _checked(source[0], None, 0, "the video").shape[:2]

    def frames(start=0):
        for index in range(start, len(source)):
            yield _checked(source[index], size, index, "the video")

    return Video(size, len(source), FPS, None, frames)


def _once(stream: Iterator, name) -> Video:
    """A stream that can be read once, with its first frame looked at."""
    first = next(stream, None)
    if first is None:
        raise InputError(f"{name} gave no frame: at least one uint8 [H, W, 3] frame is expected")
    size = _checked(first, None, 0, name).shape[:2]
    rest = [itertools.chain([first], stream)]

    def frames(start=0):
        if not rest:
            raise InputError(
                f"{name} has been read already and cannot be rewound: open it again, "
                "or give a list, a file or a folder"
            )
        for index, frame in enumerate(rest.pop()):
            if index >= start:
                yield _checked(frame, size, index, name)

    return Video(size, None, FPS, None, frames)


def _checked(frame, size, index: int, name) -> np.ndarray:
    """`frame` as an array, if it is uint8 [H, W, 3] of the expected size (H, W)."""
    frame = np.asarray(frame)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise InputError(
            f"frame {index} of {name} must be uint8 [H, W, 3] RGB, got {frame.dtype} "
            f"{list(frame.shape)}"
        )
    if size is not None and frame.shape[:2] != tuple(size):
        raise InputError(
            f"frame {index} of {name} is {frame.shape[1]}x{frame.shape[0]}, the first is "
            f"{size[1]}x{size[0]} (width x height): all frames of a video must have one size"
        )
    return frame
