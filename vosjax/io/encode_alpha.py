"""The encoder for films with a transparent background: WebM, VP9 with alpha, by PyAV."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from vosjax.io.encode import LIMITED, SMPTE_170M, Refused

MILLISECONDS = 1000  # per second: the times that a WebM holds
VP9 = "libvpx-vp9"
OPTIONS = {
    "deadline": "good",
    "cpu-used": "5",
    "row-mt": "1",
    "crf": "24",
    "b": "0",  # the quality decides, not the rate
    "auto-alt-ref": "0",  # which the encoder does not have together with alpha
}


class AlphaEncoder:
    """Writes RGBA frames with their times to a WebM.

        encoder = AlphaEncoder(path, fps=25, size=(480, 854))

    Args:
        path: the file.
        fps: usual rate in frames per second, above 0.
        size: (H, W) of the frames.

    Raises:
        Refused: PyAV is missing or has no VP9 encoder, or the encoder does not accept the size or
            the rate.
        OSError: the file cannot be written.
    """

    def __init__(self, path: pathlib.Path, *, fps: float, size: tuple[int, int]) -> None:
        try:
            import av
            from av.video.reformatter import VideoReformatter
        except ImportError as error:
            raise Refused("PyAV is not installed (pip install av)") from error
        self._av, self._scaler, self._last = av, VideoReformatter(), -1
        if VP9 not in av.codecs_available:
            raise Refused(f"PyAV {av.__version__} has no {VP9}")
        with self._as_os_errors():
            # With the protocol in front, FFmpeg takes no part of the path for another protocol.
            self._container = av.open(f"file:{os.path.abspath(path)}", "w", format="webm")
        try:
            rate = Fraction(fps).limit_denominator(MILLISECONDS) or Fraction(1, MILLISECONDS)
            stream: Any = self._container.add_stream(VP9, rate=rate)
            stream.options = OPTIONS
            stream.height, stream.width = size
            stream.pix_fmt = "yuva420p"
            stream.metadata["alpha_mode"] = "1"  # players look for it
            codec: Any = stream.codec_context
            codec.time_base = stream.time_base = Fraction(1, MILLISECONDS)
            codec.color_range = LIMITED
            codec.colorspace = codec.color_primaries = codec.color_trc = SMPTE_170M
            codec.open()
            self._container.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            self.abandon()
            reason = getattr(error, "strerror", None) or error
            raise Refused(f"{VP9} takes no {size[1]}x{size[0]} at {fps:g}: {reason}") from error
        self._stream = stream

    def write(self, image: np.ndarray, time: float) -> None:
        """Appends uint8 [H, W, 4] RGBA, shown from `time` on, in seconds since the first frame."""
        frame = self._scaler.reformat(
            self._av.VideoFrame.from_ndarray(image, "rgba"),
            format="yuva420p",
            dst_colorspace=5,  # what the scaler calls SMPTE 170M
            dst_color_range=LIMITED,
            threads=1,
        )
        self._last = max(round(time * MILLISECONDS), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, MILLISECONDS)
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

    def abandon(self) -> None:
        """Closes the unfinished file."""
        with contextlib.suppress(self._av.FFmpegError, OSError):
            self._container.close()

    @contextlib.contextmanager
    def _as_os_errors(self) -> Iterator[None]:
        try:
            yield
        except self._av.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error
