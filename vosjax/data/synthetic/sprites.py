"""Paint a clip from a background plate and moving layers: frames and, by the same warps, labels.

Each layer costs one warp of the part of the frame that it covers. Pictures have soft edges; labels
are hard: a pixel belongs to the front layer whose opacity there is at least one half.
"""

from typing import NamedTuple

import cv2
import numpy as np

from vosjax.data.synthetic.motion import Bend

_CELL = 16  # pixels between the points at which a bent map is computed exactly; linear in between
_MARGIN = 4  # transparent pixels around a patch, so that its edge fades into nothing


class Plate(NamedTuple):
    """The background.

    image   uint8 [h, w, 3]
    place   float [T, 3, 3]  plate pixels -> frame pixels
    ids     uint8 [h, w] or None: objects that are part of the plate (1..254, 255 ignore)
    bend    Bend or None
    """

    image: np.ndarray
    place: np.ndarray
    ids: np.ndarray | None = None
    bend: Bend | None = None


class Layer(NamedTuple):
    """A thing in front of the background.

    patch uint8 [h, w, 4] RGB and opacity label 0 for what is not an object (distractors,
    occluders), else its id place float [T, 3, 3] patch pixels -> frame pixels depth float [T]
    larger is nearer bend Bend or None tint uint8 [T, 256, 4] or None: a colour table for each frame
    (its last channel is the identity)
    """

    patch: np.ndarray
    label: int
    place: np.ndarray
    depth: np.ndarray
    bend: Bend | None = None
    tint: np.ndarray | None = None


def cut(image, mask, *, soft=0.8):
    """A patch uint8 [h, w, 4] around the pixels of bool `mask`, and its corner (x, y).

    Colours are carried a little outwards over the edge, so that no rim of the old background shows.
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


def paint(plate, layers, *, size, shutter=0.0):
    """Frames uint8 [T, H, W, 3] and labels uint8 [T, H, W] of a plate with layers before it.

    `shutter` is the share of the time between frames during which the camera's shutter is open:
    things are blurred along that share of their way to the next frame.
    """
    height, width = size
    count = len(plate.place)
    frames = np.empty((count, height, width, 3), np.uint8)
    labels = np.zeros((count, height, width), np.uint8)
    for t in range(count):
        frame, label = _background(plate, t, size, shutter)
        for layer in sorted(layers, key=lambda item: item.depth[t]):
            _lay(frame, label, layer, t, shutter)
        frames[t], labels[t] = frame, label
    return frames, labels


def _background(plate, t, size, shutter):
    height, width = size
    full = (0, 0, width, height)
    frame = _warp(
        plate.image, plate.place[t], plate.bend, t, full, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101
    )
    frame = _blur(frame, plate.place, (width / 2, height / 2), t, shutter)
    if plate.ids is None:
        return frame, np.zeros(size, np.uint8)
    return frame, _warp(
        plate.ids, plate.place[t], plate.bend, t, full, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT
    )


def _lay(frame, label, layer, t, shutter):
    covered = _covered(layer, t, frame.shape[:2])
    if covered is None:
        return
    x, y, width, height = covered
    seen = _warp(
        layer.patch, layer.place[t], layer.bend, t, covered, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT
    )
    solid = seen[..., 3] >= 128
    if layer.tint is not None:
        seen = cv2.LUT(seen, layer.tint[t][None])
    seen = _blur(seen, layer.place, (x + width / 2, y + height / 2), t, shutter)
    weight = seen[..., 3] * np.float32(1 / 255)
    window = (slice(y, y + height), slice(x, x + width))
    frame[window] = cv2.blendLinear(
        np.ascontiguousarray(seen[..., :3]), np.ascontiguousarray(frame[window]), weight, 1 - weight
    )
    label[window][solid] = layer.label


def _covered(layer, t, size):
    """The part (x, y, width, height) of the frame that a layer can reach, or None."""
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
    points = corners @ layer.place[t][:2, :2].T + layer.place[t][:2, 2]
    x0, y0 = np.maximum(np.floor(points.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(points.max(0)).astype(int) + 1, (size[1], size[0]))
    return (x0, y0, x1 - x0, y1 - y0) if x1 > x0 and y1 > y0 else None


def _warp(image, place, bend, t, window, interpolation, border):
    """The part `window` (x, y, width, height) of the frame that shows `image` at `place`."""
    x, y, width, height = window
    inverse = np.linalg.inv(place)
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


def _blur(image, place, point, t, shutter):
    """Blur along the way that the thing at a frame point goes until the next frame."""
    if shutter <= 0 or len(place) < 2:
        return image
    after = t + 1 if t + 1 < len(place) else t - 1
    here = np.array([*point, 1.0])
    way = (place[after] @ np.linalg.inv(place[t]) @ here - here)[:2] * shutter
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
