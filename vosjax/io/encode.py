"""Encoders for mp4: H.264 by PyAV, which browsers play, and MPEG-4 part 2 by OpenCV."""

import os
import pathlib

import cv2
import numpy as np

from vosjax.io.encode_av import AvEncoder, Refused
from vosjax.io.video.camera import hushed

TICKS = 90_000  # units per second, as in transport streams; 1/25 and 1001/30000 are whole ones
# Frames leave in display order, and few are held back. Without mbtree, which reads uninitialised
# memory, the same frames give the same bytes.
X264 = {"preset": "veryfast", "crf": "20", "bf": "0", "rc-lookahead": "10", "mbtree": "0"}
SLOWEST = 0.00101  # frames per second; OpenCV rounds it to 1/1000


class H264Encoder(AvEncoder):
    """Writes frames with their times to an H.264 mp4 whose index stands at the beginning.

    encoder = H264Encoder(path, fps=25, size=(480, 854))
    encoder.write(image, 0.04)      # uint8 [H, W, 3] RGB
    """

    kind, names, taken, made = "H.264", ("libx264", "libopenh264"), "rgb24", "yuv420p"

    def __init__(self, path: pathlib.Path, *, fps: float, size: tuple[int, int]) -> None:
        """Opens the file.

        Args:
            path: the file.
            fps: usual rate in frames per second, above 0.
            size: (H, W) of the frames, both even.

        Raises:
            Refused: PyAV is missing or has no H.264 encoder, or the encoder does not accept the
                size or the rate.
            OSError: the file cannot be written.
        """
        super().__init__(
            path,
            fps=fps,
            size=size,
            ticks=_ticks(fps),
            container="mp4",
            container_options={"movflags": "+faststart"},
            options={"libx264": X264},
            metadata={},
        )


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
