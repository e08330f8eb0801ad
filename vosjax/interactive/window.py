"""The square window of a frame that the interactive network sees: chosen, cut out, pasted back.

A small object is seen large: the window of a box is 1.4 times as wide as the box, as in the crops
of f-BRS and RITM ("zoom-in").
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.layers.norm import IMAGENET_MEAN

MARGIN = 1.4  # side of the window per longer side of the object's box
LEAST = 32.0  # smallest side of a window in pixels of the frame
OUTSIDE = tuple(round(255 * share) for share in IMAGENET_MEAN)  # zero once it is normalised

Box = tuple[float, float, float, float]  # x, y of the upper left corner, width, height; in pixels


class Window(NamedTuple):
    """A square in a frame; it may reach beyond it.

    left, top  its upper left corner in pixels of the frame
    side       its side in pixels of the frame
    """

    left: float
    top: float
    side: float

    def inside(self, box: Box) -> bool:
        """Whether a box lies within the window."""
        x, y, width, height = box
        return (
            x >= self.left
            and y >= self.top
            and x + width <= self.left + self.side
            and y + height <= self.top + self.side
        )


def whole(height: int, width: int) -> Window:
    """Returns the smallest window around a frame.

    whole(480, 854)      # Window(left=0.0, top=-187.0, side=854.0)
    """
    side = float(max(height, width))
    return Window((width - side) / 2, (height - side) / 2, side)


def around(box: Box, *, margin: float = MARGIN) -> Window:
    """Returns the window around a box, `margin` times as wide as the longer side of the box.

    around((100, 50, 40, 20))      # Window(left=92.0, top=32.0, side=56.0)
    """
    x, y, width, height = box
    side = max(margin * max(width, height), LEAST)
    return Window(x + (width - side) / 2, y + (height - side) / 2, side)


def mask_box(mask: npt.NDArray[np.bool_]) -> Box | None:
    """Returns the box of a mask, bool [H, W]; None if it is empty.

    mask_box(np.pad(np.ones((2, 3), bool), 4))      # (4.0, 4.0, 3.0, 2.0)
    """
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return (float(x), float(y), float(width), float(height)) if width else None


def cut(picture: npt.NDArray[np.uint8], window: Window, side: int) -> npt.NDArray[np.uint8]:
    """Cuts a window out of a frame and resizes it; what lies beyond the frame is mean grey.

        crop = cut(frame, around(box), 257)

    Args:
        picture: uint8 [H, W, 3] RGB.
        window: the window.
        side: side S of the result in pixels.

    Returns:
        uint8 [S, S, 3].
    """
    shrink = window.side / side
    if shrink > 1:  # else every n-th pixel alone would be seen
        height, width = picture.shape[:2]
        small = (max(round(width / shrink), 1), max(round(height / shrink), 1))
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        window = _scaled(window, small[0] / width, small[1] / height)
    return cv2.warpAffine(
        picture,
        _to_frame(window, side),
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderValue=OUTSIDE,
    )


def cut_labels(
    labels: npt.NDArray[np.uint8], window: Window, side: int, *, beyond: int
) -> npt.NDArray[np.uint8]:
    """Cuts a window out of labels, uint8 [H, W], to the nearest pixel: uint8 [S, S].

        truth = cut_labels(mask, window, 257, beyond=255)

    Args:
        labels: uint8 [H, W].
        window: the window.
        side: side S of the result in pixels.
        beyond: the label of what lies beyond the frame.
    """
    return cv2.warpAffine(
        labels,
        _to_frame(window, side),
        (side, side),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderValue=beyond,
    )


def cut_mask(mask: npt.NDArray[np.float32], window: Window, side: int) -> npt.NDArray[np.float32]:
    """Cuts a window out of a map of probabilities, float32 [H, W]: [S, S], 0 beyond the frame.

    so_far = cut_mask(probability, window, 257)
    """
    return cv2.warpAffine(
        mask, _to_frame(window, side), (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )


def paste(
    crop: npt.NDArray[np.float32], window: Window, height: int, width: int
) -> npt.NDArray[np.float32]:
    """Resizes a window's map back to its place in a frame: float32 [S, S] -> [H, W], 0 around it.

    probability = paste(crop, window, *frame.shape[:2])
    """
    to_frame = _to_frame(window, crop.shape[0])
    return cv2.warpAffine(crop, to_frame, (width, height), flags=cv2.INTER_LINEAR)


def to_window(
    points: npt.NDArray[np.float32], window: Window, side: int
) -> npt.NDArray[np.float32]:
    """Converts points, float32 [K, 2] (x, y) in pixels of the frame, to pixels of the window.

    to_window(np.array([[120.0, 60.0]]), Window(92, 32, 56), 257)
    """
    corner = np.array([window.left, window.top], np.float32)
    return ((points - corner) * (side / window.side)).astype(np.float32)


def _scaled(window: Window, across: float, down: float) -> Window:
    # Both factors differ by rounding alone; the window stays square.
    return Window(window.left * across, window.top * down, window.side * (across + down) / 2)


def _to_frame(window: Window, side: int) -> npt.NDArray[np.float64]:
    """Returns the map [2, 3] from pixel indices of the window to those of the frame.

    OpenCV counts from centres of pixels, boxes from their corners, hence the halves.
    """
    scale = window.side / side
    return np.array(
        [
            [scale, 0, window.left + 0.5 * scale - 0.5],
            [0, scale, window.top + 0.5 * scale - 0.5],
        ]
    )
