"""Crops of frames and masks: cut out of the frame, enlarged to the network's size, and back."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


def crop(image: Any, origin: Any, side: int) -> npt.NDArray[Any]:
    """Cuts a square out of an image or a map; what lies outside repeats the image's edge.

        small = crop(frame, origin=(300, 120), side=96)

    Args:
        image: [H, W, ...].
        origin: x and y of the upper left corner.
        side: in pixels.

    Returns:
        [side, side, ...], of the same dtype; a copy.
    """
    image = np.asarray(image)
    x, y = (int(value) for value in origin)
    rows = np.clip(np.arange(y, y + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(x, x + side), 0, image.shape[1] - 1)
    return image[rows[:, None], columns]


def crop_labels(labels: Any, origin: Any, side: int) -> npt.NDArray[Any]:
    """Cuts a square out of labels; what lies outside is background, of which nothing is known.

        small = crop_labels(mask, origin=(300, 120), side=96)

    Args:
        labels: integers [H, W].
        origin: x and y of the upper left corner.
        side: in pixels.

    Returns:
        [side, side], of the same dtype.
    """
    labels = np.asarray(labels)
    x, y = (int(value) for value in origin)
    height, width = labels.shape
    rows, columns = np.arange(y, y + side), np.arange(x, x + side)
    inside = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
    return np.where(inside, crop(labels, origin, side), 0).astype(labels.dtype)


def resize_image(image: Any, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Resizes a crop of a frame, by a cubic kernel when it is enlarged, else by means of areas.

        large = resize_image(crop(frame, origin, side), (480, 480))

    Args:
        image: uint8 [h, w, 3].
        size: (height, width).
    """
    kind = cv2.INTER_CUBIC if size[0] > len(image) else cv2.INTER_AREA
    return cv2.resize(np.ascontiguousarray(image), size[::-1], interpolation=kind)


def resize_labels(labels: Any, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Resizes labels to the nearest pixel's.

        large = resize_labels(crop_labels(mask, origin, side), (480, 480))

    Args:
        labels: uint8 [h, w].
        size: (height, width).
    """
    return cv2.resize(np.ascontiguousarray(labels), size[::-1], interpolation=cv2.INTER_NEAREST)


def resize_probs(probs: Any, side: int) -> npt.NDArray[np.float32]:
    """Resizes probabilities to the side of the crop, by means of areas when they shrink.

        small = resize_probs(probs, side=96)

    Args:
        probs: float32 [N, h, w].
        side: in pixels.

    Returns:
        float32 [N, side, side].
    """
    probs = np.asarray(probs, np.float32)
    kind = cv2.INTER_AREA if side < probs.shape[1] else cv2.INTER_LINEAR
    return np.stack([cv2.resize(plane, (side, side), interpolation=kind) for plane in probs])
