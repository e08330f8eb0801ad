"""Decodes and accounts for lost frames, so that frames keep the numbers they have in their file.

FFmpeg passes over what it cannot decode, as players do. Here the time stamp of every packet that
goes in is remembered until its frame comes out, and a packet that fails leaves a lost frame at its
place in display order. Packets that give no frame without failing (VP8 has some that are never
shown) do not count as lost, except in formats in which every packet is a frame, once one of them
has failed.

With several threads, errors come late and cannot be told apart. So a first, fast reading raises
`Doubt` at the first sign of an error, and a second reading with one thread finds the lost frames.
"""

import heapq
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import av

from vosjax.io.video.container import WHOLE

PATIENCE = 16  # failed attempts in a row to read on after damage in a container
HEADER = 8  # bytes before a chunk's content
GIVE_UP = 3000  # packets that fail before the first frame


# What PyAV raises for damaged data; an IndexError if a stream appears that was not announced.
DAMAGE = (av.FFmpegError, IndexError)


class Doubt(Exception):
    """Something in the video cannot be decoded; only a reading with one thread can tell what."""


class Decoded(NamedTuple):
    """A frame (None if it is lost) and its time stamp (None if it is not known)."""

    frame: av.VideoFrame | None
    pts: int | None


class Account:
    """What a reading found.

    Attributes:
        packets: number of packets to be shown that were read, with the lost ones.
        skipped: number of packets that could not be decoded before the first frame.
    """

    def __init__(self) -> None:
        self.packets = self.skipped = 0


def decoded(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    account: Account,
    *,
    certain: bool,
    patience: int = PATIENCE,
) -> Iterator[Decoded]:
    """Yields the frames of a stream in display order, with lost ones in their places.

        for frame, time in decoded(container, stream, Account(), certain=True):
            show(frame)

    Args:
        container: the container, just opened.
        stream: its video stream.
        account: is filled while reading.
        certain: whether to decode with one thread, and tell what is lost.
        patience: number of failed attempts in a row to read on; after these the video ends.

    Raises:
        Doubt: anything is wrong, unless `certain`.
        av.FFmpegError: the container cannot be read on and `patience` is 0, or none of 3000 packets
            can be decoded.
    """
    set_threads(stream, certain=certain)
    whole = stream.codec_context.name in WHOLE
    tracks = _Certain(account, whole) if certain else _Quick()
    chunks = _Chunks(container, stream)
    for packet in _packets(container, stream, patience):
        if packet is not None and packet.size and not packet.is_discard:
            gap = chunks.passed_over(packet)
            account.packets += 1 + gap
            tracks.enter(packet, gap)
        frames, failed = _decode(stream, packet)
        if failed:
            tracks.fail(packet)
        for frame in frames:
            yield from tracks.leave(frame)
    yield from tracks.end()


def set_threads(stream: av.VideoStream, *, certain: bool) -> None:
    """Lets a stream that is not decoding yet use one thread, or as many as there are.

    set_threads(stream, certain=True)
    """
    stream.thread_type = "SLICE" if certain else "AUTO"
    stream.codec_context.thread_count = 1 if certain else 0


def whatever_comes(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """Yields the frames from the container's current place, skipping what cannot be decoded.

    frame = next(whatever_comes(container, stream))
    """
    for packet in _packets(container, stream, PATIENCE):
        yield from _decode(stream, packet)[0]


def _packets(container: Any, stream: Any, patience: int) -> Iterator[av.Packet | None]:
    """Yields the packets, as far as possible across damage in the container; then None to flush."""
    failures, packets = 0, container.demux(stream)
    while failures <= patience:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except DAMAGE:
            if not patience:
                raise
            failures, packets = failures + 1, container.demux(stream)
            continue
        if packet.size:
            failures = 0
            yield packet
    yield None


def _decode(stream: Any, packet: av.Packet | None) -> tuple[list[av.VideoFrame], bool]:
    """Returns the frames that a packet (None at the end) gives, and whether it failed."""
    try:
        return stream.codec_context.decode(packet), False
    except (av.EOFError, BlockingIOError):
        return [], False
    except (*DAMAGE, ValueError, MemoryError):
        return [], True


class _Quick:
    """Decoding with several threads, where anything out of order is a reason for doubt."""

    def __init__(self) -> None:
        self._inside: list[float] = []

    def enter(self, packet: Any, gap: int) -> None:
        if packet.pts is None or gap:
            raise Doubt
        heapq.heappush(self._inside, packet.pts)

    def fail(self, packet: Any) -> None:
        raise Doubt

    def leave(self, frame: Any) -> Iterator[Decoded]:
        if not self._inside or heapq.heappop(self._inside) != frame.pts:
            raise Doubt
        yield Decoded(frame, frame.pts)

    def end(self) -> Iterator[Decoded]:
        if self._inside:
            raise Doubt
        return iter(())


class _Certain:
    """Decoding with one thread: a packet that fails is a lost frame, unless it comes out later.

    A lost frame is placed before the first frame of a later time or, if it has no time, before the
    next frame.
    """

    def __init__(self, account: Account, whole: bool) -> None:
        self._account, self._whole = account, whole
        self._inside: list[float] = []  # heaps of time stamps
        self._lost: list[float] = []
        self._begun = self._failed = False

    def enter(self, packet: Any, gap: int) -> None:
        # Chunks that were skipped have no time; they lie before the packet that follows them.
        for _ in range(gap):
            heapq.heappush(self._lost, -math.inf if packet.pts is None else packet.pts - 0.5)
        if self._whole and packet.pts is not None:
            heapq.heappush(self._inside, packet.pts)

    def fail(self, packet: Any) -> None:
        if packet is None or packet.is_discard:
            return
        self._failed = True
        if not self._whole or packet.pts is None:
            heapq.heappush(self._lost, -math.inf if packet.pts is None else packet.pts)
        if not self._begun and len(self._lost) + len(self._inside) > GIVE_UP:
            raise av.InvalidDataError(0, "no packet can be decoded")

    def leave(self, frame: Any) -> Iterator[Decoded]:
        now = math.inf if frame.pts is None else frame.pts
        yield from self._before(now)
        for heap in (self._inside, self._lost):
            if heap and heap[0] == now:
                heapq.heappop(heap)
        self._begun = True
        yield Decoded(frame, frame.pts)

    def end(self) -> Iterator[Decoded]:
        return self._before(math.inf)

    def _before(self, now: float) -> Iterator[Decoded]:
        """Yields the frames that were lost before this time."""
        while self._inside and self._inside[0] < now:
            time = heapq.heappop(self._inside)
            if self._failed:
                heapq.heappush(self._lost, time)
        while self._lost and self._lost[0] < now:
            yield from self._tell(heapq.heappop(self._lost))

    def _tell(self, time: float) -> Iterator[Decoded]:
        """Yields a lost frame, but none before the first frame, with which the video begins."""
        if self._begun:
            yield Decoded(None, int(time) if time % 1 == 0 else None)
        else:
            self._account.skipped += 1


class _Chunks:
    """An AVI file's own list of its chunks, which tells of those that reading had to skip."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._numbers, self._sizes, self._next = {}, [], 0
        entries = stream.index_entries
        if container.format.name == "avi" and len(entries) == stream.frames:
            self._numbers = {entry.pos: number for number, entry in enumerate(entries)}
            self._sizes = [entry.size for entry in entries]

    def passed_over(self, packet: av.Packet) -> int:
        """Returns how many chunks with content lie between this packet and the one before it."""
        offset = packet.pos
        if offset is None:
            return 0
        # The list says where a chunk begins; a packet usually says where its content begins.
        number = self._numbers.get(offset - HEADER, self._numbers.get(offset))
        if number is None or number < self._next:
            return 0
        passed = sum(size > 0 for size in self._sizes[self._next : number])
        self._next = number + 1
        return passed
