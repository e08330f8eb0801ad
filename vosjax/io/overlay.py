"""Frames with their objects tinted and outlined, and the film of them."""

import pathlib

import cv2
import numpy as np

from vosjax.errors import InputError
from vosjax.io.files import atomic, check_space, disk_full
from vosjax.io.palette import DAVIS

ENCODER_BYTES = 4 << 20  # the encoder buffers less than that between two looks at the disk


def overlay(frame, labels, *, alpha: float = 0.5, palette=DAVIS) -> np.ndarray:
    """The frame with its objects tinted and outlined.

        picture = overlay(frame, labels)

    Args:
        frame: uint8 [H, W, 3] RGB.
        labels: unsigned [H, W] object ids, 0 is the background.
        alpha: strength of the tint, 0..1; the outlines are always opaque.
        palette: uint8 [K, 3]; ids from K on take their colour modulo K.

    Returns:
        uint8 [H, W, 3] RGB, a new array.
    """
    frame, labels = np.asarray(frame), np.asarray(labels)
    if labels.shape != frame.shape[:2]:
        raise ValueError(
            f"overlay: frame {list(frame.shape)} and labels {list(labels.shape)} differ in size"
        )
    colours = np.asarray(palette, np.uint8)[labels.astype(np.intp) % len(palette)]
    object_ = labels > 0
    tinted = cv2.addWeighted(frame, 1 - alpha, colours, alpha, 0)
    result = np.where(object_[..., None], tinted, frame)
    outline = object_ & _outlines(labels, width=1 + max(frame.shape[:2]) // 720)
    result[outline] = colours[outline]
    return result


def _outlines(labels: np.ndarray, *, width: int) -> np.ndarray:
    """bool [H, W]: pixels with another label at most `width` pixels away."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    labels = labels.astype(np.uint16)  # a type that OpenCV's morphology takes
    lowest = cv2.erode(labels, cross, iterations=width)
    highest = cv2.dilate(labels, cross, iterations=width)
    return lowest != highest


class OverlayWriter:
    """Writes RGB frames to an mp4 (MPEG-4 part 2), under a temporary name until it is closed.

        with OverlayWriter("overlay.mp4", fps=25, size=(480, 854)) as film:
            film.write(overlay(frame, labels))

    As a context manager it keeps what was written, also when the block ends by an error or Ctrl-C:
    the file always plays. `discard` throws it away instead. A frame of odd size gets its last
    column or row twice, as the codec wants even ones.

    Raises:
        InputError: this OpenCV has no encoder for mp4, or the folder cannot be written.
        DiskFull: the disk is full (OpenCV itself would lose frames without a word).
    """

    def __init__(self, path, *, fps: float, size: tuple[int, int]):
        """`size` (H, W) of the frames; `fps` in frames per second."""
        self.path = pathlib.Path(path)
        self.size = tuple(size)
        self._odd = (size[0] % 2, size[1] % 2)
        self._atomic = atomic(self.path)
        self._temp = self._atomic.__enter__()
        even = (size[1] + self._odd[1], size[0] + self._odd[0])
        self._video = cv2.VideoWriter(str(self._temp), cv2.VideoWriter_fourcc(*"mp4v"), fps, even)
        if not self._video.isOpened():
            self.discard()
            raise InputError(
                f"overlay {path} cannot be written: OpenCV {cv2.__version__} has no "
                "mp4v encoder here; install opencv-python-headless, or do without "
                "the overlay"
            )

    def write(self, frame):
        """Appends uint8 [H, W, 3] RGB."""
        frame = np.asarray(frame)
        if frame.shape != (*self.size, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f"overlay: a frame must be uint8 {[*self.size, 3]}, got {frame.dtype} "
                f"{list(frame.shape)}"
            )
        if any(self._odd):
            frame = np.pad(frame, ((0, self._odd[0]), (0, self._odd[1]), (0, 0)), mode="edge")
        with disk_full(self.path):
            check_space(self._temp, ENCODER_BYTES)
        self._video.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def close(self):
        """Finishes the file and gives it its name. Closing again does nothing."""
        if self._atomic is not None:
            self._video.release()
            manager, self._atomic = self._atomic, None
            manager.__exit__(None, None, None)

    def discard(self):
        """Removes what was written; an older file of the same name stays."""
        if self._atomic is not None:
            self._video.release()
            self._atomic = None
            self._temp.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
