"""Encoders for mp4: H.264 by PyAV, which browsers play, and MPEG-4 part 2 by OpenCV."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from vosjax.io.video.camera import hushed

TICKS = 90_000  # units per second, as in transport streams; 1/25 and 1001/30000 are whole ones
H264 = ("libx264", "libopenh264")  # FFmpeg's encoders, of which a build has one, both or none
SMPTE_170M = 6  # the colour matrix (and primaries, and transfer) of standard definition
SLOWEST = 0.00101  # frames per second; OpenCV rounds it to 1/1000
LIMITED = 1  # the range of levels that every player expects


class Refused(Exception):
    """An encoder is missing or does not accept the video; the message gives its reason."""


class H264Encoder:
    """Writes frames with their times to an H.264 mp4 whose index stands at the beginning.

        encoder = H264Encoder(path, fps=25, size=(480, 854))

    Args:
        path: the file.
        fps: usual rate in frames per second, above 0.
        size: (H, W) of the frames, both even.

    Raises:
        Refused: PyAV is missing or has no H.264 encoder, or the encoder does not accept the size or
            the rate.
        OSError: the file cannot be written.
    """

    def __init__(self, path: pathlib.Path, *, fps: float, size: tuple[int, int]) -> None:
        try:
            import av
            from av.video.reformatter import VideoReformatter
        except ImportError as error:
            raise Refused("PyAV is not installed (pip install av)") from error
        self._av, self._scaler = av, VideoReformatter()
        self._ticks, self._last = _ticks(fps), -1
        self._usual = max(round(self._ticks / fps), 1)
        name = next((name for name in H264 if name in av.codecs_available), None)
        if name is None:
            raise Refused(f"PyAV {av.__version__} has none of {', '.join(H264)}")
        # With the protocol in front, FFmpeg takes no part of the path for another protocol.
        self._container = av.open(
            f"file:{os.path.abspath(path)}",
            "w",
            format="mp4",
            container_options={"movflags": "+faststart"},
        )
        try:
            self._stream = self._add(name, fps, size)
        except (av.FFmpegError, ValueError) as error:
            self.abandon()
            reason = getattr(error, "strerror", None) or error
            raise Refused(f"{name} takes no {size[1]}x{size[0]} at {fps:g}: {reason}") from error

    def _add(self, name: str, fps: float, size: tuple[int, int]) -> Any:
        stream: Any = self._container.add_stream(
            name, rate=Fraction(fps).limit_denominator(TICKS) or Fraction(1, TICKS)
        )
        if name == "libx264":
            # Frames leave in display order, and few are held back. Without mbtree, which reads
            # uninitialised memory, the same frames give the same bytes.
            stream.options = {
                "preset": "veryfast",
                "crf": "20",
                "bf": "0",
                "rc-lookahead": "10",
                "mbtree": "0",
            }
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        codec: Any = stream.codec_context
        codec.time_base = stream.time_base = Fraction(1, self._ticks)
        codec.color_range = LIMITED
        codec.colorspace = codec.color_primaries = codec.color_trc = SMPTE_170M
        codec.open()
        self._container.start_encoding()
        return stream

    def write(self, image: np.ndarray, time: float) -> None:
        """Appends uint8 [H, W, 3] RGB, shown from `time` on, in seconds since the first frame."""
        frame = self._scaler.reformat(
            self._av.VideoFrame.from_ndarray(image, "rgb24"),
            format="yuv420p",
            dst_colorspace=5,  # what the scaler calls SMPTE 170M
            dst_color_range=LIMITED,
            threads=1,
        )
        self._last = max(round(time * self._ticks), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, self._ticks)
        frame.duration = self._usual
        self._encode(frame)

    def _encode(self, frame: Any) -> None:
        with self._as_os_errors():
            for packet in self._stream.encode(frame):
                self._container.mux(packet)

    def close(self) -> None:
        """Writes the frames that the encoder still holds, and the index."""
        try:
            self._encode(None)
        finally:
            with self._as_os_errors():
                self._container.close()

    @contextlib.contextmanager
    def _as_os_errors(self) -> Iterator[None]:
        try:
            yield
        except self._av.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error

    def abandon(self) -> None:
        """Closes the unfinished file."""
        with contextlib.suppress(self._av.FFmpegError, OSError):
            self._container.close()


def _ticks(fps: float) -> int:
    """Returns units of time per second that suit a rate, and uneven frame times around it."""
    if fps < 0.01:
        return 1000
    return TICKS if fps <= TICKS / 16 else min(round(16 * fps), (1 << 31) - 1)


class Mpeg4Encoder:
    """Writes frames at an even rate to an MPEG-4 part 2 mp4; their times are ignored.

        encoder = Mpeg4Encoder(path, fps=25, size=(480, 854))

    Args:
        path: the file.
        fps: rate in frames per second, above 0; the nearest that the codec can hold is taken.
        size: (H, W) of the frames, both even.

    Raises:
        Refused: OpenCV cannot open such a video.
    """

    def __init__(self, path: pathlib.Path, *, fps: float, size: tuple[int, int]) -> None:
        rate = held_rate(fps)
        with hushed():
            codec = cv2.VideoWriter_fourcc(*"mp4v")  # type: ignore[attr-defined]  # not in its stubs
            self._video = cv2.VideoWriter(os.path.abspath(path), codec, rate, size[::-1])
        if not self._video.isOpened():
            raise Refused(
                f"OpenCV {cv2.__version__}: its mp4v encoder does not open for "
                f"{size[1]}x{size[0]} at {rate:g} frames per second"
            )

    def write(self, image: np.ndarray, time: float) -> None:
        """Appends uint8 [H, W, 3] RGB; `time` is ignored."""
        self._video.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finishes the file."""
        self._video.release()

    abandon = close


def held_rate(fps: float) -> float:
    """Returns the rate nearest to `fps` that MPEG-4 part 2, written by OpenCV, can hold.

        held_rate(25)       # 25.0

    The codec counts time in units of at least 1/65535 second. OpenCV writes a rate as a decimal
    fraction of up to three digits, and takes a thousandth or less for zero.
    """
    choices = {}
    for digits in range(4):
        whole = max(round(fps * 10**digits), 1)
        if whole <= 65535:
            choices[abs(whole / 10**digits / fps - 1)] = whole / 10**digits
    return max(choices[min(choices)], SLOWEST) if choices else 65535.0
