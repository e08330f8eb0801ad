"""A frame that FFmpeg decoded as an RGB image: colours, depth, transparency and rotation."""

import re
from collections.abc import Callable
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vosjax.io.video.depth import Scale, to_eight_bits
from vosjax.io.video.images import over_black

LARGE = 31 << 20  # bytes; glibc's limit for what it keeps is 32 MiB
# Formats of 16 stored bits, of which a camera may use fewer. Those of 9 to 14 bits say how many
# they have, and FFmpeg scales them right.
_DEEP = re.compile(r"(gray16|rgb48|bgr48|rgba64|bgra64|gbrp16|gbrap16|ya16)[lb]e")


def is_deep_format(frame: av.VideoFrame) -> bool:
    """Whether a frame's format may hold fewer bits than it says."""
    return _DEEP.fullmatch(frame.format.name) is not None


class Converter:
    """Makes images of the frames of one video.

    One context of FFmpeg's scaler serves all frames, as setting one up takes longer than its work.
    """

    def __init__(self, turn: Callable[[np.ndarray], np.ndarray], scale: Scale) -> None:
        self._turn, self._scale = turn, scale
        self._scaler = VideoReformatter()
        self._layout, self._deep, self._alpha = "", False, False
        # Until one large block was freed, glibc hands the memory of every image back to the system,
        # and having it zeroed anew takes four times as long as the conversion.
        np.empty(LARGE, np.uint8)

    def __call__(self, frame: av.VideoFrame) -> tuple[np.ndarray, bool]:
        """uint8 [H, W, 3] RGB, and whether anything in it lies above the scale."""
        layout = frame.format
        if layout.name != self._layout:
            self._layout, self._deep = layout.name, is_deep_format(frame)
            self._alpha = any(component.is_alpha for component in layout.components)
        if self._deep:
            levels = self.levels(frame)
            white = self._scale.white(levels)
            return self._turn(to_eight_bits(levels, white)), bool(levels.max() >= white)
        if self._alpha:
            image = self._as(frame, "rgba")
            return self._turn(over_black(image[..., :3], image[..., 3])), False
        return self._turn(self._as(frame, "rgb24")), False

    def levels(self, frame: av.VideoFrame) -> np.ndarray:
        """The levels of a frame of a deep format, [H, W] or [H, W, 3]."""
        grey = frame.format.name.startswith(("gray", "ya"))
        return self._as(frame, "gray16le" if grey else "rgb48le")

    def _as(self, frame: Any, layout: str) -> np.ndarray:
        converted = self._scaler.reformat(frame, format=layout, threads=0)
        array = converted.to_ndarray()
        # A frame that is as wanted is the decoder's own, which it may yet draw the next one from.
        return array.copy() if converted is frame else array


def turn_of(frame: av.VideoFrame) -> Callable[[np.ndarray], np.ndarray]:
    """What a display matrix (of a phone that was held upright) asks to be done with images.

    Quarter turns and mirrorings; a matrix that asks for anything else is left aside.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return lambda image: image
    # A point (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32).tolist()
    if a and d and not b and not c:
        return lambda image: _flipped(image, a < 0, d < 0)
    if b and c and not a and not d:
        return lambda image: _flipped(image.swapaxes(0, 1), c < 0, b < 0)
    return lambda image: image


def _flipped(image: np.ndarray, across: bool, down: bool) -> np.ndarray:
    image = image[:, ::-1] if across else image
    image = image[::-1] if down else image
    return np.ascontiguousarray(image)
