"""Reads video files and streams by PyAV, which binds FFmpeg's own libraries.

The frames are those that a player shows, each with its own time. FFmpeg takes care of edit lists,
rotation and the order of display; `lost.py` accounts for what it cannot decode.
"""

import bisect
import contextlib
import errno
import itertools
import os
import pathlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

import av
import numpy as np

from vosjax.errors import InputError
from vosjax.io.names import printable
from vosjax.io.video.container import TEXTS, Facts, cut_short, facts_of, video_stream
from vosjax.io.video.depth import SAMPLE, Scale, find_scale, scale_notes
from vosjax.io.video.endings import FILMS
from vosjax.io.video.iterable import open_once
from vosjax.io.video.lost import (
    DAMAGE,
    PATIENCE,
    Account,
    Doubt,
    decoded,
    set_threads,
    whatever_comes,
)
from vosjax.io.video.picture import Converter, is_deep_format, turn_of
from vosjax.io.video.types import Findings, Frame, Video, checked

Opener = Callable[[], AbstractContextManager[av.container.InputContainer]]

BUFFER = 1 << 18  # bytes that are read at a time
NEAR = 8  # consecutive frames at each place of a sample


def open_file(path: pathlib.Path) -> Video:
    """Opens a video file.

        video = open_file(pathlib.Path("dog.mp4"))

    Raises:
        InputError: the file cannot be read, is not a video, or has no frame that can be decoded.
    """
    name = f"video {printable(path)}"
    ending = path.suffix.lower() if path.suffix.lower() in FILMS else ""

    @contextlib.contextmanager
    def container() -> Iterator[Any]:
        # FFmpeg gets an open file, as it takes parts of names for protocols, options or patterns.
        # The empty list of protocols keeps playlists and the like from opening anything else.
        with (
            _words(name),
            open(path, "rb") as file,
            av.open(
                _Named(file, f"video{ending}"),
                "r",
                options={"protocol_whitelist": ""},
                buffer_size=BUFFER,
                **TEXTS,
            ) as opened,
        ):
            yield opened

    return open_container(container, name, cut=lambda: cut_short(path))


@contextlib.contextmanager
def _words(name: str) -> Iterator[None]:
    """Turns errors of reading a file into clear lines."""
    try:
        yield
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(
            f"{name} may not be read (permission denied): change its permissions"
        ) from error
    except (*DAMAGE, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{name} cannot be opened ({reason}): it is damaged, or of a kind that FFmpeg does not "
            "read; convert it to mp4 or to a folder of images"
        ) from error
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror or error})") from error


class _Named:
    """An open file for FFmpeg, under a name that is not its own."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name, self._file = name, file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seeks; gives FFmpeg's error code for a place that a damaged file cannot have."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -errno.EINVAL


def open_container(opener: Opener, name: str, *, cut: Callable[[], bool] | None = None) -> Video:
    """Opens a video that FFmpeg reads from a container, anew for each reading.

        video = open_container(opener, "dog.mp4")

    Args:
        opener: opens the container from its start, and turns its errors into clear lines.
        name: what messages call the video.
        cut: tells whether the container ends before its content does.

    Raises:
        InputError: there is no video, or no frame that can be decoded.
    """
    findings = Findings()
    doubted: list[bool] = []
    shifts: dict[float, float] = {}

    def read(start: int, scale: Scale) -> Generator[Any, None, None]:
        """Reads fast; after a doubt, reads slowly from that frame on (and always from then on)."""
        has_facts, index = False, start
        while True:
            reading = _reading(
                opener,
                name,
                findings,
                scale,
                start=index,
                certain=bool(doubted),
                cut=cut,
                shifts=shifts,
            )
            with contextlib.closing(reading):
                try:
                    for item in reading:
                        if isinstance(item, Facts):
                            if not has_facts:
                                yield item
                            has_facts = True
                        else:
                            yield item
                            index += 1
                    return
                except Doubt:
                    doubted.append(True)

    with contextlib.closing(read(0, Scale())) as reading:
        facts, first = _begin(reading, name)
    findings.opening.extend(facts.remarks)
    scale = _sampled_scale(opener, facts, findings, name) if facts.deep else Scale()

    def stream(start: int = 0) -> Generator[Frame]:
        reading = read(start, scale)
        with contextlib.closing(reading):
            next(reading, None)  # skips the facts, which are known
            yield from reading

    def seek(times: Sequence[float]) -> Iterator[Frame]:
        with opener() as container, contextlib.suppress(*DAMAGE):
            video = video_stream(container, name)
            set_threads(video, certain=bool(doubted))  # as in `stream`
            units = [round(said / facts.time_base) for said in _unshifted(times, shifts)]
            yield from _sought(container, video, scale, dict(zip(units, times)))

    return Video(
        name,
        first.image.shape[:2],
        facts.count,
        facts.fps,
        None,
        stream,
        facts.estimate,
        findings=findings,
        seek=seek if facts.time_base else None,
    )


def open_live(opener: Opener, name: str) -> Video:
    """Opens a stream that can be opened once; otherwise as `open_container`.

    video = open_live(opener, "rtsp://camera/stream")
    """
    findings = Findings()
    reading = _reading(opener, name, findings, Scale(), certain=True, patience=0)
    facts, first = _begin(reading, name)
    findings.opening.extend(facts.remarks)
    return open_once(reading, name, fps=facts.fps, findings=findings, first=first)


def _begin(reading: Iterator, name: str) -> tuple[Facts, Frame]:
    facts = next(reading, None)
    if facts is None:
        raise InputError(
            f"{name} has no frame that can be decoded: convert it to mp4 or to a folder of images"
        )
    return facts, next(reading)


def _reading(
    opener: Opener,
    name: str,
    findings: Findings,
    scale: Scale,
    *,
    start: int = 0,
    certain: bool,
    patience: int = PATIENCE,
    cut: Callable[[], bool] | None = None,
    shifts: dict[float, float] | None = None,
) -> Generator[Any, None, None]:
    """Reads a container once: yields its `Facts`, then a `Frame` for each frame from `start` on.

    Frames before `start` are decoded, too, since only that certainly gives the same frames.
    `shifts` is that of the `_Clock`.

    Raises:
        Doubt: a frame cannot be decoded, unless `certain`.
    """
    account, facts, index = Account(), None, 0
    with opener() as container:
        stream = video_stream(container, name)
        for frame, pts in decoded(container, stream, account, certain=certain, patience=patience):
            if facts is None:  # at the first frame
                assert frame is not None
                facts = facts_of(container, stream, frame, name)
                yield facts
                convert, clock = Converter(turn_of(frame), scale), _Clock(facts, shifts)
                size = convert(frame)[0].shape[:2]
            time = clock(pts)
            if frame is None:
                findings.missing.add(index)
            else:
                latest = frame
                if frame.is_corrupt:
                    findings.damaged.add(index)
            if index >= start:
                image, above = convert(latest)
                if above:
                    findings.clipped.add(index)
                yield Frame(checked(image, size, index, name), time, frame is None)
            index += 1
    if facts is not None:
        findings.beginning = _beginning(account, name)
        findings.ending = _ending(account, clock, index, name, cut)


def _sought(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    scale: Scale,
    times: dict[int, float],
) -> Iterator[Frame]:
    """Yields frames by their times, sought from the container's index, from the first to the last.

    Args:
        container: the container, just opened.
        stream: its video.
        scale: the scale of the video.
        times: {time stamp, counted from that of the first frame: time}.
    """
    first = next(whatever_comes(container, stream), None)
    if first is None or first.pts is None:
        return
    convert = Converter(turn_of(first), scale)
    container.seek(first.pts + min(times), stream=stream)
    for frame in whatever_comes(container, stream):
        if frame.pts is None:
            return
        stamp = frame.pts - first.pts
        if stamp in times:
            yield Frame(convert(frame)[0], times[stamp])
        if stamp >= max(times):
            return


def _beginning(account: Account, name: str) -> str:
    if not account.skipped:
        return ""
    return (
        f"{name}: {account.skipped} frame(s) at its beginning cannot be decoded; frame 0 is the "
        "first one that can"
    )


def _ending(
    account: Account, clock: "_Clock", index: int, name: str, cut: Callable[[], bool] | None
) -> str:
    facts = clock.facts
    if facts.announced is not None and account.packets < facts.announced:
        return (
            f"{name} announces {facts.announced} frames, only {index} could be decoded: "
            "it may be truncated"
        )
    if cut is not None and cut():
        return f"{name} is truncated: it ends after {index} frames, before its content does"
    if clock.lost_at_the_end():
        return (
            f"{name} lasts {facts.until:.2f} seconds, as it says, but only {index} frames, up to "
            f"{clock.last:.2f} seconds, could be decoded: it is damaged or truncated"
        )
    if facts.even and 0 < clock.gaps <= index / 5:
        return (
            f"{name}: its times leap {clock.gaps} time(s) (first behind frame {clock.first_gap}); "
            "frames may be lost there"
        )
    return ""


class _Clock:
    """Converts time stamps to seconds since the first frame, which always increase.

    If a time stamp is missing or goes back (in recordings that were joined), the frame comes one
    mean frame after the one before, and later frames go on from there.

    Attributes:
        facts: the facts of the video.
        last: the latest time.
        gaps: how often two frames were further apart than one and a half mean frames.
        first_gap: index of the frame before the first of these gaps.
        shifts: {time: by how much this and later times are later than their time stamps say}.
    """

    def __init__(self, facts: Facts, shifts: dict[float, float] | None = None) -> None:
        self.facts, self.gaps = facts, 0
        self.shifts = {} if shifts is None else shifts
        self.last: float | None = None
        self.first_gap: int | None = None
        self._usual, self._longest = 1 / facts.fps, 1 / facts.fps
        self._shift, self._index = 0.0, -1
        self._first: int | None = None

    def __call__(self, pts: int | None) -> float:
        self._index += 1
        if self.last is None:
            self._first, self.last = pts, 0.0
            return 0.0
        usual = time = self.last + self._usual
        if pts is not None and self._first is not None and self.facts.time_base:
            time = (pts - self._first) * self.facts.time_base + self._shift
            if time <= self.last:
                self._shift += usual - time
                time = usual
                self.shifts[time] = self._shift
        step = time - self.last
        self._longest = max(self._longest, step)
        if step > 1.5 * self._usual:
            self.gaps += 1
            self.first_gap = self._index - 1 if self.first_gap is None else self.first_gap
        self.last = time
        return time

    def lost_at_the_end(self) -> bool:
        """Returns whether the frames end much earlier than a tag of the container says."""
        if self.facts.until is None or self._first is None or self.last is None or self._shift:
            return False
        end = self._first * self.facts.time_base + self.last
        return self.facts.until - end > 2.5 * self._longest


def _unshifted(times: Sequence[float], shifts: dict[float, float]) -> Iterator[float]:
    """Yields the seconds that frames' time stamps say, given the times that `_Clock` gave them."""
    since = sorted(shifts)
    for time in times:
        begun = bisect.bisect_right(since, time)
        yield time - (shifts[since[begun - 1]] if begun else 0.0)


def _sampled_scale(opener: Opener, facts: Facts, findings: Findings, name: str) -> Scale:
    """Finds, from a sample, the scale of a video whose format may hold fewer bits than it says."""
    with opener() as container:
        scale = find_scale(_sample(container, video_stream(container, name), facts), name)
    findings.opening.extend(scale_notes(scale, facts.count, name))
    return scale


def _sample(container: Any, stream: Any, facts: Facts) -> Iterator[np.ndarray]:
    """Yields the levels of a few frames at each of several places, spread evenly over the video.

    Decoding cannot begin everywhere, so there may be fewer places; a short video is read whole.
    """
    convert = Converter(lambda image: image, Scale())
    begin, seconds = container.start_time or 0, container.duration or 0
    short = not seconds or (facts.estimate or 0) <= SAMPLE * NEAR
    for part in range(1 if short else SAMPLE):
        with contextlib.suppress(*DAMAGE):
            if part:
                container.seek(begin + seconds * part // SAMPLE)
            frames = itertools.islice(container.decode(stream), SAMPLE * NEAR if short else NEAR)
            yield from (convert.levels(frame) for frame in frames if is_deep_format(frame))
