"""Colour augmentation of single frames as torchvision defines it, on uint8, fast enough to train.

`draw` draws the parameters and `apply` applies them, so that frames may share parameters.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from vosjax.datasets.decode import Picture


class Strength(NamedTuple):
    """Strength of the augmentation.

    brightness, contrast, saturation  half-widths of the ranges of the factors around 1
    hue     half-width of the range around 0, as a share of a full turn
    jitter  probability that these four are applied at all
    grey    probability of a grey frame
    blur    probability of a Gaussian blur with sigma 0.1..2 pixels
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    jitter: float = 1.0
    grey: float = 0.0
    blur: float = 0.0


class Drawn(NamedTuple):
    """Parameters drawn for one or several frames.

    changes  (kind, factor) in the order of application; kinds are indices into `Strength`
    grey     whether the frame becomes grey
    sigma    of the Gaussian blur in pixels; 0 for none
    """

    changes: tuple[tuple[int, float], ...]
    grey: bool
    sigma: float


NONE = Strength()
STATIC_V1 = Strength(0.1, 0.1, 0.1, 0.03)  # AOT's static clips
V2 = Strength(0.4, 0.4, 0.2, 0.1, jitter=0.8, grey=0.2, blur=0.3)  # AOT's TRAIN_AUG_TYPE v2


def draw(rng: np.random.Generator, strength: Strength) -> Drawn:
    """Draws the parameters of an augmentation.

        frame = apply(frame, draw(rng, V2))

    Frames that are to change in the same way share one draw.
    """
    changes: tuple[tuple[int, float], ...] = ()
    if rng.random() < strength.jitter:
        changes = tuple(
            (kind, float((kind != 3) + rng.uniform(-1, 1) * strength[kind]))
            for kind in rng.permutation(4).tolist()
            if strength[kind]
        )
    grey = rng.random() < strength.grey
    sigma = float(rng.uniform(0.1, 2.0)) if rng.random() < strength.blur else 0.0
    return Drawn(changes, bool(grey), sigma)


def apply(frame: Picture, drawn: Drawn) -> Picture:
    """Applies drawn parameters to a frame, uint8 [H, W, 3] RGB; values are clipped to 0..255.

    changed = apply(frame, draw(rng, V2))
    """
    for kind, factor in drawn.changes:
        frame = _CHANGES[kind](frame, factor)
    if drawn.grey:
        frame = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if drawn.sigma:
        frame = cv2.GaussianBlur(frame, (0, 0), drawn.sigma)
    return frame


def _brightness(frame: Picture, factor: float) -> Picture:
    return cv2.convertScaleAbs(frame, alpha=factor)


def _contrast(frame: Picture, factor: float) -> Picture:
    mean = cv2.mean(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))[0]
    table = np.clip(np.arange(256) * factor + mean * (1 - factor), 0, 255).astype(np.uint8)
    return cv2.LUT(frame, table)


def _saturation(frame: Picture, factor: float) -> Picture:
    matrix = factor * np.eye(3) + (1 - factor) * np.array([0.299, 0.587, 0.114])
    return cv2.transform(frame, matrix)


def _hue(frame: Picture, turn: float) -> Picture:
    hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV_FULL)
    shift = np.arange(256) + round(256 * turn)
    table = np.stack([shift % 256, np.arange(256), np.arange(256)], -1).astype(np.uint8)
    return cv2.cvtColor(cv2.LUT(hsv, table[None]), cv2.COLOR_HSV2RGB_FULL)


_CHANGES: tuple[Callable[[Picture, float], Picture], ...] = (
    _brightness,
    _contrast,
    _saturation,
    _hue,
)
