"""AOT's clips from one photo (arXiv 2106.02638 and its public code): every frame is a warp of it.

Transforms are float [3, 3] or [2, 3] and map pixels of the photo to pixels of the frame.
"""

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data.synthetic import motion
from vosjax.data.types import ClipSpec, Labels, RawClip
from vosjax.datasets.decode import Picture
from vosjax.schema import Checked, setting

FILL = (124, 116, 104)  # ImageNet's mean colour, by which AOT pads

Transform = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Warp(Checked):
    """Probabilities and ranges of the warp; the defaults are those of AOT's static pre-training."""

    flip: float = setting(0.5, "probability that the whole clip is mirrored", least=0, most=1)
    frame_flip: float = setting(
        0.3, "probability that a frame after the first is mirrored", least=0, most=1
    )
    angle: float = setting(20.0, "largest rotation to either side, in degrees", least=0)
    shift: float = setting(0.1, "largest shift, as a share of the photo's sides", least=0)
    scale: tuple[float, float] = setting((0.9, 1.1), "range of the scale factor", above=0)
    shear: float = setting(10.0, "largest shear to either side, in degrees", least=0)
    crop_area: tuple[float, float] = setting(
        (0.8, 1.0), "range of the crop's area, as a share of the photo's", above=0
    )
    crop_aspect: tuple[float, float] = setting(
        (3 / 4, 4 / 3), "range of the crop's width over its height", above=0
    )


def warped(
    photo: tuple[Picture, Labels], rng: np.random.Generator, spec: ClipSpec, warp: Warp
) -> RawClip:
    """Makes AOT's static clip of one photo: every frame is a random affine warp of its own.

        frames, labels = warped((image, ids), rng, ClipSpec(3, 465, 465), Warp())

    All transforms of a frame are composed into one matrix, so that it is resampled only once.

    Args:
        photo: image uint8 [h, w, 3] and ids uint8 [h, w].
        rng: draws the transforms.
        spec: shape of the clip.
        warp: probabilities and ranges.

    Returns:
        Frames uint8 [T, H, W, 3] and raw labels uint8 [T, H, W].
    """
    image, ids = photo
    height, width = ids.shape
    mirror = motion.shift(width, 0) @ np.diag([-1.0, 1.0, 1.0])
    whole = mirror if rng.random() < warp.flip else np.eye(3)
    frames = np.empty((spec.frames, spec.height, spec.width, 3), np.uint8)
    labels = np.empty((spec.frames, spec.height, spec.width), np.uint8)
    for t in range(spec.frames):
        transform = whole
        if t > 0:
            if rng.random() < warp.frame_flip:
                transform = mirror @ transform
            moved = motion.linear(
                rng.uniform(-1, 1) * warp.angle,
                rng.uniform(*warp.scale),
                shear=np.tan(np.deg2rad(rng.uniform(-1, 1) * warp.shear)),
            )
            x, y = rng.uniform(-1, 1, 2) * warp.shift * (width, height)
            moved = motion.about((width / 2, height / 2), moved)
            transform = motion.shift(x, y) @ moved @ transform
        crop = resized_crop(
            rng,
            (height, width),
            (spec.height, spec.width),
            area=warp.crop_area,
            aspect=warp.crop_aspect,
        )
        matrix, size = (crop @ transform)[:2], (spec.width, spec.height)
        frames[t] = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderValue=FILL)
        labels[t] = cv2.warpAffine(ids, matrix, size, flags=cv2.INTER_NEAREST, borderValue=0)
    return frames, labels


def resized_crop(
    rng: np.random.Generator,
    shape: tuple[int, int],
    size: tuple[int, int],
    *,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> Transform:
    """Draws torchvision's RandomResizedCrop as a transform, float [3, 3].

        matrix = resized_crop(rng, (480, 854), (384, 384), area=(0.36, 1.0), aspect=(3 / 4, 4 / 3))

    Args:
        rng: draws the window.
        shape: (height, width) of the picture.
        size: (height, width) of the frame that the window is stretched to.
        area: range of the window's area, as a share of the picture's.
        aspect: range of the window's width over its height.
    """
    height, width = shape
    for _ in range(10):
        pixels = height * width * rng.uniform(*area)
        ratio = np.exp(rng.uniform(*np.log(aspect)))
        w, h = np.sqrt(pixels * ratio), np.sqrt(pixels / ratio)
        if w <= width and h <= height:
            x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
            break
    else:
        w = h = min(width, height)
        x, y = (width - w) / 2, (height - h) / 2
    return np.diag([size[1] / w, size[0] / h, 1.0]) @ motion.shift(-x, -y)
