"""Random crop windows: which part of a stored frame is decoded, scaled and put into a clip."""

import dataclasses

import cv2
import numpy as np

from vosjax.data.types import Labels
from vosjax.datasets import decode
from vosjax.datasets.decode import Picture
from vosjax.datasets.protocol import Encoded, Header
from vosjax.errors import InputError

Pair = tuple[int, int]  # (y, x) or (height, width)


@dataclasses.dataclass(frozen=True)
class View:
    """A window of a scaled frame.

    Attributes:
        source: (y, x, height, width) of the stored frame that is taken.
        size: (height, width) that it is scaled to.
        corner: (y, x) of its position in the clip's frame.
        full: (height, width) of the clip's frame.
    """

    source: tuple[int, int, int, int]
    size: Pair
    corner: Pair
    full: Pair

    def picture(self, encoded: Encoded, header: Header) -> Picture:
        """Decodes the window of a frame, uint8 [*size, 3], at the smallest sufficient resolution.

        Raises:
            InputError: the frame cannot be decoded, or is not of the video's size.
        """
        y, x, height, width = self.source
        reduce = decode.reduction(max(self.size[0] / height, self.size[1] / width))
        name = f"frame {encoded.name} of {header.name}"
        image = decode.image(encoded.image, reduce=reduce, name=name)
        expected = tuple(-(-side // reduce) for side in header.size)
        if image.shape[:2] != expected:
            raise InputError(
                f"{name} is {image.shape[1] * reduce}x{image.shape[0] * reduce},"
                f" the video {header.size[1]}x{header.size[0]}: all frames of "
                "a video must have one size"
            )
        bottom, right = -(-(y + height) // reduce), -(-(x + width) // reduce)
        window = image[y // reduce : bottom, x // reduce : right]
        if window.shape[:2] == self.size:
            return np.ascontiguousarray(window)
        return cv2.resize(window, self.size[::-1], interpolation=cv2.INTER_CUBIC)

    def labels(self, mask: Labels) -> Labels:
        """Cuts the window out of a label map, uint8 [H, W]; returns uint8 [*full], zero-padded."""
        y, x, height, width = self.source
        window = mask[y : y + height, x : x + width]
        if window.shape != self.size:
            window = cv2.resize(window, self.size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return self.padded(window, 0)

    def padded(self, window: Picture, fill: int | tuple[int, int, int]) -> Picture:
        """Pads a window to a whole frame of the clip with the colour `fill`."""
        if self.size == self.full:
            return window
        y, x = self.corner
        bottom, right = self.full[0] - self.size[0] - y, self.full[1] - self.size[1] - x
        return cv2.copyMakeBorder(window, y, bottom, x, right, cv2.BORDER_CONSTANT, value=fill)


def draw(shape: Pair, scale: float, full: Pair, rng: np.random.Generator) -> View:
    """Draws a random window of a scaled frame.

        view = draw((480, 854), 1.2, (465, 465), rng)

    A scaled side that is shorter than the clip's is taken whole, at a random position of the clip's
    frame.

    Args:
        shape: (height, width) of the stored frame.
        scale: factor by which it is scaled.
        full: (height, width) of the clip's frame.
        rng: draws the window.
    """
    source, size, corner = [], [], []
    for side, target in zip(shape, full):
        scaled = max(1, round(side * scale))
        covered = min(target, scaled)
        taken = min(side, max(1, round(covered / scale))) if scaled > target else side
        source.append((int(rng.integers(side - taken + 1)), taken))
        size.append(covered)
        corner.append(int(rng.integers(target - covered + 1)))
    (y, height), (x, width) = source
    return View((y, x, height, width), (size[0], size[1]), (corner[0], corner[1]), full)
