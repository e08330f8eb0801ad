"""Reads a video from one of its frames back to the first, exactly and in bounded memory.

Folders and arrays are read frame by frame. A video file can only be decoded forward, so it is read
in blocks, the last one first. If its container can seek, a first reading notes the time and a
checksum of every frame. Each block is then sought, and is accepted only if all of its frames have
the checksums of the first reading. A block that differs is sought again with a run-up of more and
more frames, since behind damage a frame depends on those before it. If no run-up is long enough, as
in containers that cannot seek and streams that cannot be entered in their middle, the file is
decoded from its beginning up to that block, which takes longer but is always right.
"""

import array
import collections
import contextlib
import itertools
import zlib
from collections.abc import Iterator

import numpy as np

from vosjax.errors import InputError
from vosjax.io.video.types import Frame, Video

BLOCK = 256 << 20  # bytes of the frames that are held at a time
LEAST = 8  # frames in a block, however large they are
RUN_UPS = (0, 1, 4, 16, 64)  # blocks that are read before the block that is sought
TRIES = 3  # by so many more failed than successful blocks, seeking is given up


def read_backward(video: Video, start: int) -> Iterator[tuple[int, Frame]]:
    """Yields the frames from `start` back to 0, each exactly as `video.stream` gives it.

        for index, frame in read_backward(open_video("dog.mp4"), 120):
            show(frame.image)                 # frames 120, 119, ..., 0

    Args:
        video: a video that can be read more than once (`Video.once` is False).
        start: index of the first frame to be given; if the video ends before it, that of its last.

    Yields:
        The index and the `Frame`.

    Raises:
        InputError: an image cannot be read.
    """
    if video.direct:
        return _one_by_one(video, start)
    return _in_blocks(video, start)


def _one_by_one(video: Video, start: int) -> Iterator[tuple[int, Frame]]:
    for index in range(start, -1, -1):
        for frame in decoded(video, index, index + 1):
            yield index, frame


def _in_blocks(video: Video, start: int) -> Iterator[tuple[int, Frame]]:
    height, width = video.size
    length = max(BLOCK // (height * width * 3), LEAST)
    signs = Signs()
    block: collections.deque[Frame] = collections.deque(maxlen=length)
    with contextlib.closing(video.stream(0)) as frames:
        for frame in itertools.islice(frames, start + 1):
            block.append(frame)
            signs.add(frame)
    end, tries = len(signs), TRIES if video.seek is not None else 0
    while True:
        while block:
            end -= 1
            yield end, block.pop()
        if not end:
            return
        first = max(end - length, 0)
        frames_of_block = sought(video, signs, first, end) if tries else None
        if tries:
            tries += 1 if frames_of_block else -1
        block.extend(frames_of_block or decoded(video, first, end))
        if len(block) < end - first:
            raise InputError(f"{video.name} has become shorter while it was read: start anew")


def decoded(video: Video, first: int, end: int) -> list[Frame]:
    """Reads the frames first..end-1 as `video.stream` gives them; fewer if the video ends before.

    frames = decoded(video, 100, 116)
    """
    with contextlib.closing(video.stream(first)) as frames:
        return list(itertools.islice(frames, end - first))


def sought(video: Video, signs: "Signs", first: int, end: int) -> list[Frame] | None:
    """Seeks the frames first..end-1, each exactly as `video.stream` gives it.

        frames = sought(video, signs, 100, 116) or decoded(video, 100, 116)

    Args:
        video: a video that can be sought (`Video.seek`).
        signs: the signs of all frames up to `end`, from a first reading.
        first: index of the first frame.
        end: index behind the last frame.

    Returns:
        The frames, or None if they cannot be had that way.
    """
    # A lost frame shows the image of the one before it.
    shown = [signs.shown(index) for index in range(first, end)]
    for run_up in RUN_UPS:
        begin = first - run_up * (end - first)
        if begin < 0:  # the beginning is near, and reading from it always works
            return None
        images = _images(video, signs, shown, begin)
        if images is not None:
            break
    else:
        return None
    return [
        Frame(images[source], signs.times[index], bool(signs.missing[index]))
        for index, source in zip(range(first, end), shown)
    ]


def _images(
    video: Video, signs: "Signs", shown: list[int], begin: int
) -> dict[int, np.ndarray] | None:
    """Seeks frames from `begin` on, as {index: image}; None unless all have their checksums."""
    assert video.seek is not None
    by_time = {signs.times[index]: index for index in shown}
    images = {}
    for frame in video.seek(sorted({signs.times[begin], *by_time})):
        index = by_time.get(frame.time)
        if index is None:
            continue
        if checksum(frame) != signs.sums[index]:
            return None
        images[index] = frame.image
    return images if set(shown) <= images.keys() else None


def checksum(frame: Frame) -> int:
    """Returns the checksum of a frame's pixels, CRC-32.

    checksum(next(video.stream(0)))
    """
    return zlib.crc32(np.ascontiguousarray(frame.image).data)


class Signs:
    """The signs by which frames are recognised, from a first reading of a video.

        signs = Signs()
        for frame in video.stream(0):
            signs.add(frame)

    times    time of each frame in seconds
    sums     checksum of each frame's pixels
    missing  1 for each frame that the recording lost, else 0
    """

    def __init__(self) -> None:
        self.times, self.sums, self.missing = array.array("d"), array.array("Q"), bytearray()

    def add(self, frame: Frame) -> None:
        """Adds the signs of the next frame."""
        self.times.append(frame.time)
        self.sums.append(checksum(frame))
        self.missing.append(frame.missing)

    def shown(self, index: int) -> int:
        """Returns the index of the frame whose image is shown for `index`."""
        while index and self.missing[index]:
            index -= 1
        return index

    def __len__(self) -> int:
        return len(self.times)
