"""A film that is written by PyAV: one stream of frames with their times, of any codec."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

SMPTE_170M = 6  # the colour matrix (and primaries, and transfer) of standard definition
SCALER_170M = 5  # what the scaler calls it
FINEST = 90_000  # largest denominator of a rate in frames per second
LIMITED = 1  # the range of levels that every player expects


class Refused(Exception):
    """An encoder is missing or does not accept the video; the message gives its reason."""


class AvEncoder:
    """What encoders by PyAV have in common; each says in its class what it takes and makes.

    kind    what it is called, in messages
    names   FFmpeg's encoders, of which a build may have one, several or none; the first is taken
    taken   format of the pictures that are given, as 'rgb24'
    made    format of the pictures in the film, as 'yuv420p'
    """

    kind: str
    names: Sequence[str]
    taken: str
    made: str

    def __init__(
        self,
        path: pathlib.Path,
        *,
        fps: float,
        size: tuple[int, int],
        ticks: int,
        container: str,
        container_options: Mapping[str, str],
        options: Mapping[str, Mapping[str, str]],
        metadata: Mapping[str, str],
    ) -> None:
        """Opens the file.

        Args:
            path: the file.
            fps: usual rate in frames per second, above 0.
            size: (H, W) of the frames.
            ticks: units of time per second.
            container: FFmpeg's name of the container.
            container_options: options of the container.
            options: {name of an encoder: its options}.
            metadata: of the stream.

        Raises:
            Refused: PyAV is missing or has none of the encoders, or the encoder does not accept the
                size or the rate.
            OSError: the file cannot be written.
        """
        try:
            import av
            from av.video.reformatter import VideoReformatter
        except ImportError as error:
            raise Refused("PyAV is not installed (pip install av)") from error
        self._av, self._scaler = av, VideoReformatter()
        self._ticks, self._last = ticks, -1
        self._usual = max(round(ticks / fps), 1)
        name = next((name for name in self.names if name in av.codecs_available), None)
        if name is None:
            raise Refused(
                f"PyAV {av.__version__} has no encoder for {self.kind} ({', '.join(self.names)})"
            )
        with self._as_os_errors():
            # With the protocol in front, FFmpeg takes no part of the path for another protocol.
            self._container = av.open(
                f"file:{os.path.abspath(path)}",
                "w",
                format=container,
                container_options=dict(container_options),
            )
        try:
            rate = Fraction(fps).limit_denominator(FINEST) or Fraction(1, FINEST)
            stream: Any = self._container.add_stream(name, rate=rate)
            stream.options = dict(options.get(name, {}))
            stream.metadata.update(metadata)
            stream.height, stream.width = size
            stream.pix_fmt = self.made
            codec: Any = stream.codec_context
            codec.time_base = stream.time_base = Fraction(1, ticks)
            codec.color_range = LIMITED
            codec.colorspace = codec.color_primaries = codec.color_trc = SMPTE_170M
            codec.open()
            self._container.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            self.abandon()
            reason = getattr(error, "strerror", None) or error
            raise Refused(f"{name} takes no {size[1]}x{size[0]} at {fps:g}: {reason}") from error
        self._stream = stream

    def write(self, image: np.ndarray, time: float) -> None:
        """Appends a picture, shown from `time` on, in seconds since the first frame."""
        frame = self._scaler.reformat(
            self._av.VideoFrame.from_ndarray(image, self.taken),
            format=self.made,
            dst_colorspace=SCALER_170M,
            dst_color_range=LIMITED,
            threads=1,
        )
        self._last = max(round(time * self._ticks), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, self._ticks)
        frame.duration = self._usual
        self._encode(frame)

    def close(self) -> None:
        """Writes the frames that the encoder still holds, and the index."""
        try:
            self._encode(None)
        finally:
            with self._as_os_errors():
                self._container.close()

    def abandon(self) -> None:
        """Closes the unfinished file."""
        with contextlib.suppress(self._av.FFmpegError, OSError):
            self._container.close()

    def _encode(self, frame: Any) -> None:
        with self._as_os_errors():
            for packet in self._stream.encode(frame):
                self._container.mux(packet)

    @contextlib.contextmanager
    def _as_os_errors(self) -> Iterator[None]:
        try:
            yield
        except self._av.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error
