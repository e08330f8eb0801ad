"""Pictures of frames with their objects tinted and outlined, to look at."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from vosjax.io.palette import DAVIS


def overlay(
    frame: np.ndarray, labels: np.ndarray, *, alpha: float = 0.5, palette: np.ndarray = DAVIS
) -> np.ndarray:
    """Returns the frame with its objects tinted and outlined.

        picture = overlay(frame, labels)

    Args:
        frame: uint8 [H, W, 3] RGB.
        labels: unsigned integers [H, W], object ids; 0 is the background.
        alpha: strength of the tint, 0..1; the outlines are always opaque.
        palette: uint8 [K, 3]; ids from K on take the colour of id modulo K.

    Returns:
        uint8 [H, W, 3] RGB, a new array.

    Raises:
        ValueError: frame and labels differ in size.
    """
    frame, labels = np.asarray(frame), np.asarray(labels)
    if labels.shape != frame.shape[:2]:
        raise ValueError(
            f"overlay: frame {list(frame.shape)} and labels {list(labels.shape)} differ in size"
        )
    result = np.array(frame, order="C")  # as OpenCV wants what it writes to
    width = 1 + max(frame.shape[:2]) // 720
    # Whatever is tinted lies in this box, and nothing but the background is beyond it.
    x, y, w, h = cv2.boundingRect((labels > 0).view(np.uint8))
    rows = slice(max(y - width, 0), y + h + width)
    columns = slice(max(x - width, 0), x + w + width)
    if w:
        _tint(result[rows, columns], labels[rows, columns], alpha, np.asarray(palette), width)
    return result


def _tint(
    frame: np.ndarray, labels: np.ndarray, alpha: float, palette: np.ndarray, width: int
) -> None:
    """Tints and outlines the objects of a frame uint8 [H, W, 3], in place."""
    palette = palette.astype(np.uint8)
    if labels.dtype == np.uint8:
        colours = cv2.LUT(cv2.merge([labels] * 3), palette[None, np.arange(256) % len(palette)])
    else:
        colours = palette[labels.astype(np.intp) % len(palette)]
    inside = (labels > 0).view(np.uint8)
    cv2.copyTo(cv2.addWeighted(frame, 1 - alpha, colours, alpha, 0), inside, frame)
    cv2.copyTo(colours, inside & _outlines(labels, width=width).view(np.uint8), frame)


def draw_boxes(
    frame: np.ndarray,
    boxes: Mapping[int, Sequence[float]],
    *,
    palette: np.ndarray = DAVIS,
) -> np.ndarray:
    """The frame with the outlines of boxes in the colours of their objects.

        picture = draw_boxes(overlay(frame, labels), {3: (120, 40, 96, 96)})

    Args:
        frame: uint8 [H, W, 3] RGB.
        boxes: {id: (x, y, w, h)} in pixels, x and y the upper left corner; what lies outside the
            frame is not drawn.
        palette: uint8 [K, 3]; ids from K on take their colour modulo K.

    Returns:
        uint8 [H, W, 3] RGB, a new array.
    """
    result = np.array(frame, np.uint8)
    width = 1 + max(result.shape[:2]) // 720
    for id, (x, y, w, h) in boxes.items():
        colour = [int(value) for value in palette[id % len(palette)]]
        corners = (int(x), int(y)), (int(x + w) - 1, int(y + h) - 1)
        cv2.rectangle(result, *corners, colour, width)
    return result


def _outlines(labels: np.ndarray, *, width: int) -> np.ndarray:
    """Returns bool [H, W]: the pixels that have another label at most `width` pixels away."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    if labels.dtype != np.uint8:
        labels = labels.astype(np.uint16)  # a type that OpenCV's morphology accepts
    lowest = cv2.erode(labels, cross, iterations=width)
    highest = cv2.dilate(labels, cross, iterations=width)
    return lowest != highest
