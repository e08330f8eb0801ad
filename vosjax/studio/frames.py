"""Frames of a video: for the page as JPEG from a bounded cache, for the network as they are."""

import collections
import os
import pathlib
import threading
from collections.abc import Hashable

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError
from vosjax.io.files import write_bytes
from vosjax.io.video import Frame, open_video
from vosjax.io.video.random_access import (
    RandomAccess,
    scan,
    signs_from_bytes,
    signs_to_bytes,
)

QUALITY = 90  # of the JPEG images
AHEAD = 16  # most frames that are decoded together where one is asked for
BLOCK = 32 << 20  # most bytes of them, but for a single frame
SHOWN = 720  # largest height in which frames are kept while a video is first read

Image = npt.NDArray[np.uint8]  # [H, W, 3] RGB


class ByteCache:
    """Bytes by their keys, of which the least recently used are dropped beyond a limit.

        cache = ByteCache(512 << 20)
        cache.put(("dog", 12, 480), data)

    It may be used from several threads.
    """

    def __init__(self, limit: int) -> None:
        """Takes the limit in bytes."""
        self.limit, self.held = limit, 0
        self._lock = threading.Lock()
        self._items: collections.OrderedDict[Hashable, bytes] = collections.OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """Returns what is kept under a key, or None."""
        with self._lock:
            data = self._items.get(key)
            if data is not None:
                self._items.move_to_end(key)
            return data

    def put(self, key: Hashable, data: bytes) -> None:
        """Keeps bytes under a key; bytes beyond the limit are not kept at all."""
        with self._lock:
            self.held -= len(self._items.pop(key, b""))
            if len(data) > self.limit:
                return
            self._items[key] = data
            self.held += len(data)
            while self.held > self.limit:
                self.held -= len(self._items.popitem(last=False)[1])

    def drop(self, first: Hashable) -> None:
        """Drops everything whose key begins with `first`."""
        with self._lock:
            for key in [key for key in self._items if isinstance(key, tuple) and key[0] == first]:
                self.held -= len(self._items.pop(key))


class Frames:
    """The frames of a video of the studio.

        frames = Frames.of("dog.mp4", "dog", ByteCache(512 << 20))
        frames.jpeg(12, height=480)
        frames.image(12)

    Frames for the page are decoded by readers of their own, so that a propagation, which reads
    `access` in its own thread, never holds them up.
    """

    def __init__(self, access: RandomAccess, key: str, cache: ByteCache) -> None:
        """Takes the video's frames, the key under which they are cached, and the cache."""
        self.access, self._key, self._cache = access, key, cache
        self._decoding = threading.Lock()
        self._latest: tuple[int, list[Image]] = (0, [])

    @classmethod
    def of(
        cls,
        source: str | os.PathLike[str],
        key: str,
        cache: ByteCache,
        *,
        signs: pathlib.Path | None = None,
    ) -> "Frames":
        """Opens a video; the first time it is read to its end, which fills the cache.

        Args:
            source: a video file or a folder of images.
            key: a name of the video that no other has.
            cache: where JPEG images are kept.
            signs: a file that keeps what the first reading found out; it is written if missing.

        Raises:
            InputError: it is no video, or one that can be read once only.
        """
        video = open_video(source)
        if not video.direct and signs is not None:
            try:
                kept = signs_from_bytes(signs.read_bytes())
                return cls(RandomAccess(video, kept), key, cache)
            except (OSError, ValueError):
                pass  # missing or damaged: it is made anew

        def visit(index: int, frame: Frame) -> None:
            height = min(SHOWN, frame.image.shape[0])
            cache.put((key, index, height), _encoded(frame.image, height))

        access = scan(video, visit=None if video.direct else visit)
        if access.signs is not None and signs is not None:
            write_bytes(signs, signs_to_bytes(access.signs))
        return cls(access, key, cache)

    @property
    def count(self) -> int:
        """The number of frames."""
        return self.access.count

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frames."""
        return self.access.video.size

    def image(self, index: int) -> Image:
        """Returns a frame, uint8 [H, W, 3] RGB.

        Raises:
            InputError: there is no such frame, or it cannot be read.
        """
        self._check(index)
        with self._decoding:
            return self._decoded(index)

    def jpeg(self, index: int, height: int | None = None) -> bytes:
        """Returns a frame as JPEG.

        Args:
            index: index of the frame.
            height: height in pixels, at most that of the video; None for that.

        Raises:
            InputError: there is no such frame, or it cannot be read.
        """
        self._check(index)
        height = min(max(height or self.size[0], 16), self.size[0])
        data = self._cache.get((self._key, index, height))
        if data is None:
            with self._decoding:
                data = self._cache.get((self._key, index, height))
                if data is None:
                    image = self._decoded(index)
                    data = _encoded(image, height)
                    self._cache.put((self._key, index, height), data)
        return data

    def close(self) -> None:
        """Drops what is cached."""
        self._cache.drop(self._key)
        self._latest = (0, [])

    def _check(self, index: int) -> None:
        if not 0 <= index < self.count:
            raise InputError(
                f"there is no frame {index}: the video has {self.count}, counted from 0"
            )

    def _decoded(self, index: int) -> Image:
        """Returns a frame of the latest block, or of a new block that begins with it."""
        first, block = self._latest
        if not first <= index < first + len(block):
            height, width = self.size
            fitting = max(min(BLOCK // (3 * height * width), AHEAD), 1)
            length = 1 if self.access.video.direct else fitting
            end = min(index + length, self.count)
            first, block = index, [frame.image for frame in self.access.read(index, end)]
            self._latest = first, block
        return block[index - first]


def _encoded(image: Image, height: int) -> bytes:
    if height != image.shape[0]:
        width = max(round(image.shape[1] * height / image.shape[0]), 1)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    bgr = np.ascontiguousarray(image[..., ::-1])
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
