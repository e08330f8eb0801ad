"""Photometric augmentation of whole clips: jitter, drifting light, noise, compression and blur.

It never changes labels.
"""

from typing import Annotated, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data.synthetic.motion import Floats, curve
from vosjax.datasets.decode import Picture
from vosjax.schema import Rule

_LUMA = np.array([0.299, 0.587, 0.114])
_GREY = np.tile(_LUMA, (3, 1))
_CHROMA = np.array([[0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_YIQ = np.vstack([_LUMA, _CHROMA])
_RGB = np.linalg.inv(_YIQ)


class Colour(NamedTuple):
    """Strengths and probabilities of a clip's photometric augmentation."""

    brightness: Annotated[
        float, Rule("half-width of the range of the brightness factor around 1", least=0)
    ] = 0.3
    contrast: Annotated[
        float, Rule("half-width of the range of the contrast factor around 1", least=0)
    ] = 0.3
    saturation: Annotated[
        float, Rule("half-width of the range of the saturation factor around 1", least=0)
    ] = 0.3
    hue: Annotated[
        float, Rule("half-width of the range of the hue shift, as a share of a full turn", least=0)
    ] = 0.05
    clip_jitter: Annotated[
        float, Rule("probability of one jitter for the whole clip", least=0, most=1)
    ] = 0.8
    frame_jitter: Annotated[
        float, Rule("strength of the jitter of single frames, relative to the clip's", least=0)
    ] = 0.15
    drift: Annotated[float, Rule("amplitude of slow changes of brightness", least=0)] = 0.1
    grey: Annotated[float, Rule("probability of a grey clip", least=0, most=1)] = 0.05
    blur: Annotated[
        float,
        Rule(
            "probability of a Gaussian blur of the whole clip, sigma up to 1.2 px", least=0, most=1
        ),
    ] = 0.15
    noise: Annotated[
        float,
        Rule("probability of sensor noise, standard deviation up to 8 of 255", least=0, most=1),
    ] = 0.3
    jpeg: Annotated[
        float, Rule("probability of JPEG compression, quality 30..90", least=0, most=1)
    ] = 0.25


def mix(rng: np.random.Generator, colour: Colour, strength: float = 1.0) -> Floats:
    """Draws a colour transform: float [3, 4], an affine map of RGB values in 0..255.

    cv2.transform(frame, mix(rng, Colour()))
    """

    def around() -> float:
        return rng.uniform(-1, 1) * strength

    turn = 2 * np.pi * colour.hue * around()
    rotate = np.array(
        [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    )
    saturation = 1 + colour.saturation * around()
    matrix = saturation * (_RGB @ rotate @ _YIQ) + (1 - saturation) * _GREY
    contrast = 1 + colour.contrast * around()
    offset = 127.5 * (1 - contrast) + 127.5 * colour.brightness * around() * 0.6
    gain = (1 + colour.brightness * around() * 0.6) * contrast
    return np.column_stack([gain * matrix, np.full(3, offset)])


def alter(
    frames: npt.NDArray[np.uint8], *, when: Floats, colour: Colour, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Augments frames photometrically.

        frames = alter(frames, when=np.arange(5.0), colour=Colour(), rng=rng)

    Args:
        frames: uint8 [T, H, W, 3], RGB.
        when: float [T], the times of the frames, over which the light drifts.
        colour: strengths and probabilities.
        rng: source of all random numbers; noise differs from frame to frame.

    Returns:
        A new array of the same shape and dtype.
    """
    whole = np.eye(3, 4)
    if rng.random() < colour.clip_jitter:
        whole = mix(rng, colour)
    if rng.random() < colour.grey:
        whole = _GREY @ whole
    light = 1 + colour.drift * rng.random() * curve(rng, when)
    sigma = rng.uniform(0.3, 1.2) if rng.random() < colour.blur else 0.0
    noise = _noise(rng, frames.shape[1:]) if rng.random() < colour.noise else None
    quality = int(rng.integers(30, 91)) if rng.random() < colour.jpeg else None
    changed = np.empty_like(frames)
    for t, frame in enumerate(frames):
        single = mix(rng, colour, colour.frame_jitter) * light[t]
        joint = np.column_stack(
            [single[:, :3] @ whole[:, :3], single[:, :3] @ whole[:, 3] + single[:, 3]]
        )
        frame = cv2.transform(frame, joint)
        if sigma:
            frame = cv2.GaussianBlur(frame, (0, 0), sigma)
        if noise is not None:
            x, y = rng.integers(0, 17, 2)
            frame = cv2.add(
                frame, noise[y : y + frame.shape[0], x : x + frame.shape[1]], dtype=cv2.CV_8U
            )
        changed[t] = frame if quality is None else _compress(frame, quality)
    return changed


def tint(rng: np.random.Generator, when: Floats, strength: float) -> npt.NDArray[np.uint8]:
    """Draws colour tables, uint8 [T, 256, 4], for an actor whose colour drifts; opacity stays.

    tables = tint(rng, instants(rng, 5), strength=0.2)
    """
    base = 1 + strength * rng.uniform(-1, 1, 3)
    gain = base * (1 + strength * np.stack([0.7 * curve(rng, when)] * 3, 1))
    table = np.empty((len(when), 256, 4), np.uint8)
    levels = np.arange(256)
    table[..., :3] = np.clip(levels[None, :, None] * gain[:, None], 0, 255)
    table[..., 3] = levels
    return table


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.int16]:
    height, width, channels = shape
    deviation = np.float32(rng.uniform(1, 8))
    return (
        rng.standard_normal((height + 16, width + 16, channels), np.float32) * deviation
    ).astype(np.int16)


def _compress(frame: Picture, quality: int) -> Picture:
    encoded, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise ValueError(
            f"OpenCV could not compress a frame of shape {frame.shape}; expected uint8 [H, W, 3]"
        )
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
