"""What one of FFmpeg's containers says about its video, and how far that can be believed."""

import pathlib
import re
from typing import Any, NamedTuple

import av

from vosjax.errors import InputError
from vosjax.io.video.picture import is_deep_format
from vosjax.io.video.types import FPS

HDR = {16: "PQ", 18: "HLG"}  # transfer functions that are not meant for eight bits
WHOLE = ("h264", "hevc", "vvc")  # formats in which every packet is a frame to be shown
MOST_PIXELS = 1 << 27  # of a frame; a file of a few bytes could claim more than memory holds
FASTEST = 1e7  # frames per second; larger values are a unit of time, not a rate


# By default, PyAV up to 18 refuses files whose titles are not UTF-8.
# Keyword arguments of `av.open`.
TEXTS: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)


class Facts(NamedTuple):
    """What is known of a video once its first frame is decoded.

    fps        mean frames per second
    time_base  seconds in one unit of time stamps; 0 if time stamps say nothing
    count      number of frames to be shown, if an index lists them all, else None
    announced  number of frames that the container claims to have, if it counts them, else None
    estimate   approximate number of frames, else None
    until      seconds at which the last frame ends, if the container has a tag for it, else None
    even       whether the format is one of broadcasts, whose frames come at an even rate
    deep       whether the format may hold fewer bits than it says
    remarks    what is worth telling, a line each
    """

    fps: float
    time_base: float
    count: int | None  # type: ignore[assignment]  # hides `tuple.count`
    announced: int | None
    estimate: int | None
    until: float | None
    even: bool
    deep: bool
    remarks: tuple[str, ...]


def video_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """Returns the video stream of a container; of several streams, the one that players take.

        stream = video_stream(container, "dog.mp4")

    Raises:
        InputError: there is no video, only an image, or one for which FFmpeg has no decoder.
    """
    if container.format.name.endswith("_pipe") or container.format.name in ("image2", "ico"):
        raise InputError(f"{name} is one image: a video file or a folder of images is expected")
    streams = _films(container)
    if not streams:
        raise InputError(f"{name} holds no moving pictures that could be found: name another file")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    codec = stream.codec_context
    if codec is None:
        raise InputError(f"{name} is in a format that FFmpeg has no decoder for: convert it to mp4")
    if codec.width * codec.height > MOST_PIXELS:
        raise InputError(
            f"{name} is {codec.width}x{codec.height} (width x height), more than a frame of 16K: "
            "it is damaged, or to be scaled down first"
        )
    codec.options = {"max_pixels": str(MOST_PIXELS)}  # later frames may claim more, too
    return stream


def _films(container: Any) -> list[av.VideoStream]:
    """Returns the video streams, without covers and thumbnails."""
    still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & still]


def facts_of(container: Any, stream: av.VideoStream, frame: av.VideoFrame, name: str) -> Facts:
    """Collects the facts of a video, given its first frame.

    facts = facts_of(container, stream, frame, "dog.mp4")
    """
    rates = (stream.average_rate, stream.guessed_rate, stream.codec_context.framerate)
    fps = next((float(rate) for rate in rates if rate and 0 < rate < FASTEST), FPS)
    count, announced = _counts(container, stream)
    # AVI cannot store the order of display, and FFmpeg's guess for these formats is wrong.
    timed = container.format.name != "avi" or stream.codec_context.name not in WHOLE
    remarks = []
    if len(_films(container)) > 1:
        remarks.append(f"{name}: of its {len(_films(container))} videos the first is taken")
    if frame.color_trc in HDR:
        remarks.append(
            f"{name}: is HDR ({HDR[frame.color_trc]}); its levels become eight bits as they are, "
            "without tone mapping"
        )
    return Facts(
        fps,
        float(stream.time_base) if timed and stream.time_base else 0.0,
        count,
        announced,
        count if count is not None else _estimate(container, stream, fps),
        _until(stream),
        container.format.name in ("mpegts", "mpeg"),
        is_deep_format(frame),
        tuple(remarks),
    )


def _counts(container: Any, stream: Any) -> tuple[int | None, int | None]:
    """Returns `count` and `announced`; MP4 and AVI store them, other containers at most guess."""
    entries, frames = stream.index_entries, stream.frames
    kind = container.format.name.split(",")[0]
    if kind not in ("mov", "avi") or frames <= 0:
        return None, None
    if len(entries) == frames:
        # An edit list hides frames; a chunk without content repeats the frame before it.
        shown = sum(not entry.is_discard and entry.size > 0 for entry in entries)
        return shown, shown
    return None, frames if kind == "avi" else None


def _estimate(container: Any, stream: Any, fps: float) -> int | None:
    seconds = None
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration:
        seconds = container.duration / av.time_base
    return None if seconds is None or seconds <= 0 else max(round(seconds * fps), 1)


def _until(stream: Any) -> float | None:
    """Reads the tag DURATION of Matroska files, such as 00:00:03.160000000, in seconds."""
    match = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if match is None:
        return None
    return 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])


def cut_short(path: pathlib.Path) -> bool:
    """Returns whether a Matroska file ends before its content does.

        cut_short(pathlib.Path("dog.mkv"))

    Such files do not store the number of frames, but the size of the segment around all of them.
    """
    with open(path, "rb") as file:
        head, end = file.read(128), file.seek(0, 2)
    if head[:4] != b"\x1a\x45\xdf\xa3":
        return False
    size, at = _number(head, 4)
    at += size or 0
    if head[at : at + 4] != b"\x18\x53\x80\x67":
        return False
    size, at = _number(head, at + 4)
    return size is not None and at + size > end


def _number(head: bytes, at: int) -> tuple[int | None, int]:
    """Reads a size in EBML's coding; returns it (None if it is unknown) and where it ends."""
    if at >= len(head) or not head[at]:
        return None, at
    length = 9 - head[at].bit_length()
    value = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else value, at + length
