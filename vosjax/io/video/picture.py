"""Converts a frame decoded by FFmpeg to an RGB image: colours, depth, transparency and rotation."""

import re
from collections.abc import Callable
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vosjax.io.video.depth import Scale, to_eight_bits
from vosjax.io.video.images import over_black

LARGE = 31 << 20  # bytes; glibc keeps blocks of up to 32 MiB
# Formats that store 16 bits, of which a camera may use fewer. Those of 9 to 14 bits say how many
# they have, and FFmpeg scales them correctly.
_DEEP = re.compile(r"(gray16|rgb48|bgr48|rgba64|bgra64|gbrp16|gbrap16|ya16)[lb]e")


def is_deep_format(frame: av.VideoFrame) -> bool:
    """Returns whether a frame's format may hold fewer bits than it says.

    is_deep_format(frame)
    """
    return _DEEP.fullmatch(frame.format.name) is not None


class Converter:
    """Converts the frames of one video to images.

        image, is_clipped = Converter(scale)(frame)

    One context of FFmpeg's scaler serves all frames, since creating one takes longer than its work.
    """

    def __init__(self, turn: Callable[[np.ndarray], np.ndarray], scale: Scale) -> None:
        self._turn, self._scale = turn, scale
        self._scaler = VideoReformatter()
        self._layout, self._deep, self._alpha = "", False, False
        # Until a large block has been freed, glibc returns the memory of every image to the system,
        # and getting it back zeroed takes four times as long as the conversion.
        np.empty(LARGE, np.uint8)

    def __call__(self, frame: av.VideoFrame) -> tuple[np.ndarray, bool]:
        """Returns uint8 [H, W, 3] RGB, and whether any level lies above the scale."""
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
        """Returns the levels of a frame of a deep format, [H, W] or [H, W, 3]."""
        grey = frame.format.name.startswith(("gray", "ya"))
        return self._as(frame, "gray16le" if grey else "rgb48le")

    def _as(self, frame: Any, layout: str) -> np.ndarray:
        converted = self._scaler.reformat(frame, format=layout, threads=0)
        array = converted.to_ndarray()
        # A frame in the right format is the decoder's, which may predict the next one from it.
        return array.copy() if converted is frame else array


def turn_of(frame: av.VideoFrame) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function that turns images as the frame's display matrix asks.

        image = turn_of(frame)(image)

    A phone that was held upright stores such a matrix. Quarter turns and mirrorings are followed;
    any other matrix is ignored.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return lambda image: image
    # The matrix shows a point (x, y) at (a x + c y, b x + d y).
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
