"""Reads any frames of a video in any order, each exactly as a reading from the beginning gives it.

A video is read once from its beginning (`scan`), which counts its frames and notes their signs
(times and checksums, `backward.Signs`). From then on a frame of a file is found by the container's
index, and is accepted only if its checksum is that of the first reading; otherwise the file is
decoded from its beginning. Folders need neither.
"""

import contextlib
import io
import itertools
import zipfile
import zlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.io.video.backward import Signs, checksum, decoded, sought
from vosjax.io.video.types import Frame, Video

BLOCK = 64 << 20  # bytes of the frames that are held at a time while a file is read in reverse
NEAR = 32  # frames from the beginning that are decoded rather than sought


class RandomAccess:
    """The frames of a video, by their indices.

        frames = scan(open_video("dog.mp4"))
        frames.count, frames.read(100, 116)

    Attributes:
        video: the video, which can be read more than once.
        signs: the signs of all frames; None for a video that begins anywhere (`Video.direct`).
        count: number of frames.
    """

    def __init__(self, video: Video, signs: Signs | None) -> None:
        """Takes a video and its signs; `scan` makes these."""
        self.video, self.signs = video, signs
        self.count = len(signs) if signs is not None else video.count or 0

    def read(self, first: int, end: int) -> list[Frame]:
        """Reads the frames first..end-1.

        Args:
            first: index of the first frame, at least 0.
            end: index behind the last frame, at most `count`.

        Raises:
            InputError: a frame cannot be read, or the video has become shorter.
        """
        frames = None
        if self.signs is not None and self.video.seek is not None and first >= NEAR:
            frames = sought(self.video, self.signs, first, end)
        frames = frames or decoded(self.video, first, end)
        if len(frames) < end - first:
            raise _shorter(self.video)
        return frames

    def stream(self, start: int) -> Generator[Frame]:
        """Yields the frames from `start` to the last, decoding forward.

        Args:
            start: index of the first frame.

        Raises:
            InputError: as for `read`.
        """
        index = start
        if self._can_seek() and start >= NEAR:
            assert self.signs is not None and self.video.seek is not None
            times = self.signs.times[start:]
            with contextlib.closing(_closable(self.video.seek(times))) as frames:
                for time, frame in zip(times, frames):
                    if frame.time != time or checksum(frame) != self.signs.sums[index]:
                        break
                    yield frame
                    index += 1
        if index == self.count:
            return
        with contextlib.closing(self.video.stream(index)) as frames:
            for frame in itertools.islice(frames, self.count - index):
                yield frame
                index += 1
        if index < self.count:
            raise _shorter(self.video)

    def in_order(self, indices: Sequence[int]) -> Generator[Frame]:
        """Yields frames in any order; runs that rise or fall by one are read in one go.

            for frame in frames.in_order([40, 60, 61, 62]):
                show(frame.image)

        Args:
            indices: indices of the frames.

        Raises:
            InputError: as for `read`.
        """
        for first, last in runs(indices):
            if last >= first:
                with contextlib.closing(self.stream(first)) as frames:
                    yield from itertools.islice(frames, last - first + 1)
            else:
                yield from self._falling(first, last)

    def _falling(self, first: int, last: int) -> Generator[Frame]:
        height, width = self.video.size
        length = 1 if self.video.direct else max(BLOCK // (height * width * 3), 8)
        for end in range(first + 1, last, -length):
            yield from reversed(self.read(max(end - length, last), end))

    def _can_seek(self) -> bool:
        return (
            self.signs is not None and self.video.seek is not None and not any(self.signs.missing)
        )


def scan(video: Video, *, visit: Callable[[int, Frame], Any] | None = None) -> RandomAccess:
    """Reads a video once, so that its frames can be had in any order afterwards.

        frames = scan(open_video("dog.mp4"))

    A folder is only read for `visit`.

    Args:
        video: a video that can be read more than once.
        visit: visit(index, frame) is called with every frame.

    Raises:
        InputError: the video can be read once only, or a frame cannot be read.
    """
    if video.once:
        raise InputError(
            f"{video.name} can be read once only: save it as a video file or a folder of images"
        )
    signs = None if video.direct else Signs()
    if signs is not None or visit is not None:
        with contextlib.closing(video.stream(0)) as frames:
            for index, frame in enumerate(frames):
                if signs is not None:
                    signs.add(frame)
                if visit is not None:
                    visit(index, frame)
    return RandomAccess(video, signs)


def runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Splits indices into runs (first, last) that rise or fall by one.

    runs([40, 60, 61, 62, 9, 8])        # [(40, 40), (60, 62), (9, 8)]
    """
    ranges: list[tuple[int, int]] = []
    for index in indices:
        if ranges:
            first, last = ranges[-1]
            step = index - last
            if step in (1, -1) and (first == last or (last > first) == (step > 0)):
                ranges[-1] = first, index
                continue
        ranges.append((index, index))
    return ranges


def signs_to_bytes(signs: Signs) -> bytes:
    """Returns signs as the bytes of a file; `signs_from_bytes` is the way back.

    data = signs_to_bytes(frames.signs)
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        times=np.array(signs.times, np.float64),
        sums=np.array(signs.sums, np.uint64),
        missing=np.frombuffer(bytes(signs.missing), np.uint8),
    )
    return buffer.getvalue()


def signs_from_bytes(data: bytes) -> Signs:
    """Returns the signs that `signs_to_bytes` stored.

        signs = signs_from_bytes(pathlib.Path("signs.npz").read_bytes())

    Raises:
        ValueError: the bytes are something else.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            times, sums, missing = (arrays[name] for name in ("times", "sums", "missing"))
    except (OSError, LookupError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError("bytes that are no signs of frames") from error
    kinds = [(array.dtype.kind, array.ndim) for array in (times, sums, missing)]
    if kinds != [("f", 1), ("u", 1), ("u", 1)] or not len(times) == len(sums) == len(missing):
        raise ValueError("arrays that are no signs of frames")
    signs = Signs()
    signs.times.extend(times.tolist())
    signs.sums.extend(sums.tolist())
    signs.missing.extend(missing.tolist())
    return signs


def _closable(frames: Any) -> Any:
    return frames if hasattr(frames, "close") else (frame for frame in frames)


def _shorter(video: Video) -> InputError:
    return InputError(f"{video.name} has become shorter since it was opened: open it anew")
