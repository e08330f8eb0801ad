"""Renders frames from a background plate and moving layers, and labels by the same warps.

Each layer costs one warp of the part of the frame that it covers. Layers have soft edges, but
labels are hard: a pixel belongs to the front layer with an opacity of at least one half there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data.synthetic.motion import Bend, Floats, HeightWidth, Transform
from vosjax.data.types import Frames, Labels
from vosjax.datasets.decode import Picture

_CELL = 16  # pixels between the points at which a deformation is computed; linear in between
_MARGIN = 4  # transparent pixels around a patch, so that its edge can fade out


Patch = npt.NDArray[np.uint8]  # [h, w, 4], RGB and opacity
Window = tuple[int, int, int, int]  # (x, y, width, height) of a part of the frame


class Plate(NamedTuple):
    """The background.

    image      uint8 [h, w, 3]
    transform  float [T, 3, 3]  plate pixels -> frame pixels
    ids        uint8 [h, w]     objects that are part of the plate (1..254, 255 ignored), or None
    bend       how it is bent, or None
    """

    image: Picture
    transform: Transform
    ids: Labels | None = None
    bend: Bend | None = None


class Layer(NamedTuple):
    """One sprite in front of the background.

    patch      uint8 [h, w, 4]     RGB and opacity
    label      its id; 0 for an occluder or a distractor
    transform  float [T, 3, 3]     patch pixels -> frame pixels
    depth      float [T]           larger is nearer
    bend       how it is bent, or None
    tint       uint8 [T, 256, 4]   a colour table for each frame, whose last channel is the
                                   identity, or None
    """

    patch: Patch
    label: int
    transform: Transform
    depth: Floats
    bend: Bend | None = None
    tint: npt.NDArray[np.uint8] | None = None


def cut(
    image: Picture, mask: npt.NDArray[np.bool_], *, soft: float = 0.8
) -> tuple[Patch, tuple[int, int]]:
    """Cuts an object out of a picture.

        patch, corner = cut(image, ids == 3)

    The object's colours are extended a little over its edge, so that no rim of the old background
    remains.

    Args:
        image: uint8 [H, W, 3].
        mask: bool [H, W], the pixels of the object.
        soft: standard deviation of the blur of the opacity, in pixels.

    Returns:
        The patch, uint8 [h, w, 4] RGB and opacity, and its corner (x, y) in the picture.
    """
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    crop = image[y : y + height, x : x + width]
    inside = mask[y : y + height, x : x + width].astype(np.uint8)
    crop = cv2.copyMakeBorder(crop, *4 * (_MARGIN,), cv2.BORDER_REPLICATE)
    inside = cv2.copyMakeBorder(inside, *4 * (_MARGIN,), cv2.BORDER_CONSTANT, value=0)
    weight = inside.astype(np.float32)
    spread = cv2.blur(weight, (7, 7))[..., None]
    carried = cv2.blur(crop * weight[..., None], (7, 7)) / np.maximum(spread, 1e-3)
    colour = np.where(inside[..., None] > 0, crop, np.where(spread > 0.01, carried, crop))
    alpha = cv2.GaussianBlur(inside * np.float32(255), (0, 0), soft)
    return np.dstack([colour, alpha]).astype(np.uint8), (x - _MARGIN, y - _MARGIN)


def paint(
    plate: Plate, layers: Sequence[Layer], *, size: HeightWidth, shutter: float = 0.0
) -> tuple[Frames, Labels]:
    """Renders a plate with layers in front of it.

        frames, labels = paint(Plate(image, transforms), layers, size=(240, 432), shutter=0.2)

    Args:
        plate: the background.
        layers: the layers, in any order.
        size: (H, W) of the frames.
        shutter: share of the time between two frames during which the camera's shutter is open;
            everything is blurred along that share of its way to the next frame.

    Returns:
        Frames uint8 [T, H, W, 3] and labels uint8 [T, H, W].
    """
    height, width = size
    count = len(plate.transform)
    frames = np.empty((count, height, width, 3), np.uint8)
    labels = np.zeros((count, height, width), np.uint8)
    for t in range(count):
        frame, label = _background(plate, t, size, shutter)
        for layer in sorted(layers, key=lambda item: item.depth[t]):
            _lay(frame, label, layer, t, shutter)
        frames[t], labels[t] = frame, label
    return frames, labels


def _background(plate: Plate, t: int, size: HeightWidth, shutter: float) -> tuple[Picture, Labels]:
    height, width = size
    full = (0, 0, width, height)
    frame = _warp(
        plate.image,
        plate.transform[t],
        plate.bend,
        t,
        full,
        cv2.INTER_LINEAR,
        cv2.BORDER_REFLECT_101,
    )
    frame = _blur(frame, plate.transform, (width / 2, height / 2), t, shutter)
    if plate.ids is None:
        return frame, np.zeros(size, np.uint8)
    return frame, _warp(
        plate.ids, plate.transform[t], plate.bend, t, full, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT
    )


def _lay(frame: Picture, label: Labels, layer: Layer, t: int, shutter: float) -> None:
    covered = _covered(layer, t, label.shape)
    if covered is None:
        return
    x, y, width, height = covered
    sprite = _warp(
        layer.patch,
        layer.transform[t],
        layer.bend,
        t,
        covered,
        cv2.INTER_LINEAR,
        cv2.BORDER_CONSTANT,
    )
    solid = sprite[..., 3] >= 128
    if layer.tint is not None:
        sprite = cv2.LUT(sprite, layer.tint[t][None])
    sprite = _blur(sprite, layer.transform, (x + width / 2, y + height / 2), t, shutter)
    weight = sprite[..., 3] * np.float32(1 / 255)
    window = (slice(y, y + height), slice(x, x + width))
    frame[window] = cv2.blendLinear(
        np.ascontiguousarray(sprite[..., :3]),
        np.ascontiguousarray(frame[window]),
        weight,
        1 - weight,
    )
    label[window][solid] = layer.label


def _covered(layer: Layer, t: int, size: tuple[int, ...]) -> Window | None:
    """Returns the part (x, y, width, height) of the frame that a layer may cover, or None."""
    height, width = layer.patch.shape[:2]
    reach = 0.0 if layer.bend is None else np.abs(layer.bend.push[t]).sum() * max(height, width)
    corners = np.array(
        [
            [-reach, -reach],
            [width + reach, -reach],
            [-reach, height + reach],
            [width + reach, height + reach],
        ]
    )
    points = corners @ layer.transform[t][:2, :2].T + layer.transform[t][:2, 2]
    x0, y0 = np.maximum(np.floor(points.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(points.max(0)).astype(int) + 1, (size[1], size[0]))
    return (x0, y0, x1 - x0, y1 - y0) if x1 > x0 and y1 > y0 else None


def _warp(
    image: npt.NDArray[np.uint8],
    transform: Transform,
    bend: Bend | None,
    t: int,
    window: Window,
    interpolation: int,
    border: int,
) -> npt.NDArray[np.uint8]:
    """Renders the part `window` of a frame that shows `image` under `transform` and `bend`."""
    x, y, width, height = window
    inverse = np.linalg.inv(transform)
    if bend is None:
        inverse = inverse @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
        return cv2.warpAffine(
            image,
            inverse[:2],
            (width, height),
            flags=interpolation | cv2.WARP_INVERSE_MAP,
            borderMode=border,
        )
    columns, rows = -(-width // _CELL) + 2, -(-height // _CELL) + 2
    px, py = np.meshgrid(
        x + (np.arange(columns) - 0.5) * _CELL - 0.5, y + (np.arange(rows) - 0.5) * _CELL - 0.5
    )
    qx = inverse[0, 0] * px + inverse[0, 1] * py + inverse[0, 2]
    qy = inverse[1, 0] * px + inverse[1, 1] * py + inverse[1, 2]
    side = max(image.shape[:2])
    dx, dy = bend.at(t, qx / side, qy / side)
    coarse = np.stack([qx + side * dx, qy + side * dy], -1).astype(np.float32)
    fine = cv2.resize(coarse, (columns * _CELL, rows * _CELL), interpolation=cv2.INTER_LINEAR)
    fine = fine[_CELL : _CELL + height, _CELL : _CELL + width]
    return cv2.remap(image, fine, None, interpolation, borderMode=border)


def _blur(
    image: npt.NDArray[np.uint8],
    transform: Transform,
    point: tuple[float, float],
    t: int,
    shutter: float,
) -> npt.NDArray[np.uint8]:
    """Blurs a picture along the path of a point of the frame to the next frame."""
    if shutter <= 0 or len(transform) < 2:
        return image
    after = t + 1 if t + 1 < len(transform) else t - 1
    here = np.array([*point, 1.0])
    way = (transform[after] @ np.linalg.inv(transform[t]) @ here - here)[:2] * shutter
    length = min(float(np.hypot(*way)), 0.08 * max(image.shape[:2]) + 4)
    if length < 1.5:
        return image
    reach = int(np.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    end = way / np.hypot(*way) * length / 2 * 16
    centre = reach * 16
    cv2.line(
        kernel,
        tuple(int(round(centre - v)) for v in end),
        tuple(int(round(centre + v)) for v in end),
        255,
        1,
        cv2.LINE_AA,
        4,
    )
    return cv2.filter2D(
        image, -1, kernel / np.float32(kernel.sum()), borderType=cv2.BORDER_REPLICATE
    )
