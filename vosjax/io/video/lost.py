"""Decoding with an account of what was lost, so that frames keep the numbers of their file.

FFmpeg passes over what it cannot decode, as players do. Here every packet that goes in is
remembered by its time stamp until its frame comes out: a packet that fails leaves a lost frame in
its place in the order of display. Packets that give no frame without failing (VP8 has some that are
never shown) are none, but for formats whose packets are frames, once one of them has failed.

With several threads errors come late and cannot be told apart, so a first, fast reading raises
`Doubt` at the first sign of one; a second reading with one thread then tells them.
"""

import heapq
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import av

from vosjax.io.video.container import WHOLE

PATIENCE = 16  # failed attempts in a row to read on behind damage in a container
HEADER = 8  # bytes in front of a chunk's content
GIVE_UP = 3000  # packets that fail before the first frame


# What PyAV raises of damaged data; an index error where a stream comes up that was not announced.
DAMAGE = (av.FFmpegError, IndexError)


class Doubt(Exception):
    """Something in the video does not decode; only one thread can tell what."""


class Decoded(NamedTuple):
    """A frame, or None for one that is lost; its time stamp, None where that is not known."""

    frame: av.VideoFrame | None
    pts: int | None


class Account:
    """What came of a reading.

    Attributes:
      packets: how many that are to be shown were read, lost ones too.
      skipped: how many could not be decoded before the first frame.
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
    """The frames of a stream in the order of display, lost ones in their places.

    Args:
      container: just opened.
      stream: of that container.
      account: is filled.
      certain: decode with one thread and tell what is lost; else with several.
      patience: failed attempts in a row to read on, after which the video ends.

    Raises:
      Doubt: unless `certain`, where anything is amiss.
      av.FFmpegError: the container cannot be read on, and `patience` is 0; or of 3000 packets
        none can be decoded.
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
    """One thread for a stream that is not decoding yet, or as many as there are."""
    stream.thread_type = "SLICE" if certain else "AUTO"
    stream.codec_context.thread_count = 1 if certain else 0


def whatever_comes(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """The frames from where a container stands, whatever cannot be decoded between them."""
    for packet in _packets(container, stream, PATIENCE):
        yield from _decode(stream, packet)[0]


def _packets(container: Any, stream: Any, patience: int) -> Iterator[av.Packet | None]:
    """The packets, across damage in the container as far as it goes; then None, to flush."""
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
    """The frames that a packet (None: the end) brings out, and whether it failed."""
    try:
        return stream.codec_context.decode(packet), False
    except (av.EOFError, BlockingIOError):
        return [], False
    except (*DAMAGE, ValueError, MemoryError):
        return [], True


class _Quick:
    """Several threads: whatever does not come out in order is a reason for doubt."""

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
    """One thread: a packet that fails is a frame that is lost, unless it comes out in spite of it.

    A lost frame comes before the first frame of a later time; without a time, before the next.
    """

    def __init__(self, account: Account, whole: bool) -> None:
        self._account, self._whole = account, whole
        self._inside: list[float] = []  # heaps of time stamps
        self._lost: list[float] = []
        self._begun = self._failed = False

    def enter(self, packet: Any, gap: int) -> None:
        # Chunks that were passed over have no time; they lie before the packet behind them.
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
        """What was lost before that time."""
        while self._inside and self._inside[0] < now:
            time = heapq.heappop(self._inside)
            if self._failed:
                heapq.heappush(self._lost, time)
        while self._lost and self._lost[0] < now:
            yield from self._tell(heapq.heappop(self._lost))

    def _tell(self, time: float) -> Iterator[Decoded]:
        """Before the first frame nothing is lost: the video begins where it can be decoded."""
        if self._begun:
            yield Decoded(None, int(time) if time % 1 == 0 else None)
        else:
            self._account.skipped += 1


class _Chunks:
    """An AVI file's own list of its chunks: tells of those that the reading had to pass over."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._numbers, self._sizes, self._next = {}, [], 0
        entries = stream.index_entries
        if container.format.name == "avi" and len(entries) == stream.frames:
            self._numbers = {entry.pos: number for number, entry in enumerate(entries)}
            self._sizes = [entry.size for entry in entries]

    def passed_over(self, packet: av.Packet) -> int:
        """How many chunks with content lie between the packet and the one before it."""
        offset = packet.pos
        if offset is None:
            return 0
        # The list says where a chunk begins; a packet, mostly, where its content does.
        number = self._numbers.get(offset - HEADER, self._numbers.get(offset))
        if number is None or number < self._next:
            return 0
        passed = sum(size > 0 for size in self._sizes[self._next : number])
        self._next = number + 1
        return passed
