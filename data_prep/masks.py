"""Masks of every source as label maps uint8 [H, W] and back: run lengths, polygons, palette PNG."""

import io

import cv2
import numpy as np
from PIL import Image

from data_prep.errors import SourceError

_FINE = 5  # a polygon is filled on a grid so many times finer (odd), read off at pixel centres


def _palette():
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= ((ids >> bit & 1) << (7 - bit // 3)).astype(np.uint8)
    return colours.tobytes()


PALETTE = _palette()  # of PASCAL VOC, which DAVIS and YouTube-VOS use


def uncompressed(text):
    """The run lengths (list of int) behind COCO's compressed string of them (str or bytes).

    Each number is written in groups of five bits, lowest first, as characters from '0' on; bit 6
    says that more follow. From the fourth number on, the difference to the number two places
    before is written.

    Raises:
        SourceError: the string ends inside a number or holds other characters.
    """
    data = text.encode("latin1") if isinstance(text, str) else bytes(text)
    counts, value, shift = [], 0, 0
    for byte in data:
        group = byte - 48
        if not 0 <= group < 64:
            raise SourceError(f"a compressed mask holds the byte {byte}: the file is damaged")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise SourceError("a compressed mask ends inside a number: the file is damaged")
    return counts


def from_rle(counts, size):
    """A mask bool [H, W] of run lengths in column order, off first, compressed or not.

    Raises:
        SourceError: they do not add up to H * W, or one is negative.
    """
    if isinstance(counts, (str, bytes)):
        counts = uncompressed(counts)
    runs = np.asarray(counts, np.int64)
    if (runs < 0).any() or runs.sum() != size[0] * size[1]:
        raise SourceError(
            f"run lengths of {runs.sum()} pixels for a mask of {size[0]}x{size[1]}: "
            "the file is damaged"
        )
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(size[1], size[0]).T


def from_polygons(polygons, size):
    """A mask bool [H, W]: the pixels whose centre lies in one of the polygons.

    A polygon is a flat list x0, y0, x1, y1, ... in pixels; (0, 0) is the outer corner of the first
    pixel, so that its centre is (0.5, 0.5). Parts of fewer than three points are dropped.
    """
    height, width = size
    mask = np.zeros(size, bool)
    for polygon in polygons:
        points = np.asarray(polygon, float).reshape(-1, 2)
        if len(points) < 3:
            continue
        x0, y0 = np.clip(np.floor(points.min(0)).astype(int), 0, (width, height))
        x1, y1 = np.clip(np.ceil(points.max(0)).astype(int), 0, (width, height))
        if x1 <= x0 or y1 <= y0:
            continue
        fine = np.zeros(((y1 - y0) * _FINE, (x1 - x0) * _FINE), np.uint8)
        # Point (x, y) of the plane is sample (x * _FINE - 0.5); 8 more bits place it between them.
        placed = np.round(((points - (x0, y0)) * _FINE - 0.5) * 256).astype(np.int32)
        cv2.fillPoly(fine, [placed], 1, shift=8)
        mask[y0:y1, x0:x1] |= fine[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE] > 0
    return mask


def from_segmentation(segmentation, size):
    """A mask bool [H, W] of a JSON segmentation: polygons or run lengths, compressed or not.

    Raises:
        SourceError: it is something else, or its size is not `size`.
    """
    if isinstance(segmentation, list):
        return from_polygons(segmentation, size)
    if isinstance(segmentation, dict) and {"counts", "size"} <= set(segmentation):
        if tuple(segmentation["size"]) != tuple(size):
            raise SourceError(f"a mask of size {segmentation['size']} in an image of {list(size)}")
        return from_rle(segmentation["counts"], size)
    raise SourceError(
        f"a segmentation is {type(segmentation).__name__}: polygons or run lengths are expected"
    )


def to_png(labels):
    """Label map uint8 [H, W] as the bytes of a palette PNG, exact."""
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(f"a label map is uint8 [H, W], got {labels.dtype} {list(labels.shape)}")
    image = Image.fromarray(labels)
    image.putpalette(PALETTE)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def renumbered(labels, *, void=()):
    """(uint8 [H, W] with values 1..n for the rising values of `labels`, {id: value}).

    Args:
        labels: integers [H, W] of any size.
        void: values that become 255.

    Raises:
        SourceError: more than 254 values.
    """
    values, places = np.unique(labels, return_inverse=True)
    objects = [int(v) for v in values if v not in void]
    if len(objects) > 254:
        raise SourceError(f"a mask of {len(objects)} objects: at most 254 can be told apart")
    ids = {value: i for i, value in enumerate(objects, start=1)}
    table = np.array([ids.get(int(v), 255) for v in values], np.uint8)
    return table[places].reshape(labels.shape), {i: value for value, i in ids.items()}
