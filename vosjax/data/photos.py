"""Photos with instance masks: list, read at working size, fill holes, cut objects out."""

import functools
import pathlib
from typing import NamedTuple

import cv2
import numpy as np

from vosjax.data import types
from vosjax.data.synthetic import sprites
from vosjax.datasets import decode
from vosjax.errors import InputError

_MOST = 200  # objects of one photo; leaves ids free for what joins them in a clip


class Photo(NamedTuple):
    """A photo at working size.

    image   uint8 [h, w, 3]
    ids     uint8 [h, w]     0 background, 1..n objects, 255 ignore
    filled  uint8 [h, w, 3]  the photo without its objects
    cutouts tuple of (id, patch uint8 [h', w', 4], corner (x, y)) in the order of the ids
    """

    image: np.ndarray
    ids: np.ndarray
    filled: np.ndarray
    cutouts: tuple


def pairs(folder):
    """The (image path, mask path) pairs of `folder`/images and `folder`/masks, by stem, sorted.

    Raises ValueError when there is no pair.
    """
    folder = pathlib.Path(folder)
    masks = {path.stem: path for path in (folder / "masks").glob("*.png")}
    images = sorted(
        path
        for path in (folder / "images").glob("*")
        if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    )
    found = tuple((str(path), str(masks[path.stem])) for path in images if path.stem in masks)
    if not found:
        raise InputError(
            f"no stills in {folder}: expected images/NAME.jpg with masks/NAME.png of one name; "
            "give another folder, or train on rendered clips only"
        )
    return found


def read_mask(path):
    """Ids uint8 [h, w] of a palette or grey PNG, a path or its bytes; see `decode.mask`."""
    if isinstance(path, bytes):
        return decode.mask(path)
    return decode.mask(pathlib.Path(path).read_bytes(), name=str(path))


@functools.lru_cache(maxsize=128)
def load(image_path, mask_path, *, short_side, least_area):
    """The `Photo` of two files, its short side `short_side` pixels; 128 are kept in memory.

    Objects under `least_area` (share of the photo) get no cutout. In place of paths the files'
    bytes can be given. Raises ValueError for unreadable or unequal files.
    """
    image, ids = read(image_path, mask_path, short_side=short_side)
    cutouts = tuple(
        (int(i), *sprites.cut(image, ids == i))
        for i in types.visible_ids(ids, max(least_area * ids.size, 30))
    )
    return Photo(image, ids, fill(image, ids > 0), cutouts)


def read(image_path, mask_path, *, short_side, enlarge=True):
    """Image uint8 [h, w, 3] and ids 1..n uint8 [h, w], their short side `short_side` pixels.

    Paths or the files' bytes; where not `enlarge`, smaller pictures stay as they are. Raises
    ValueError for unreadable or unequal files.
    """
    ids, count = types.densify(read_mask(mask_path))
    short_side = short_side if enlarge else min(short_side, *ids.shape)
    if count > _MOST:
        ids[(ids > _MOST) & (ids != types.IGNORE)] = 0
    reduce = min(ids.shape) >= 2 * short_side
    given = isinstance(image_path, bytes)
    data = image_path if given else pathlib.Path(image_path).read_bytes()
    image_path, mask_path = ("a photo", "its mask") if given else (image_path, mask_path)
    image = decode.image(data, reduce=1 + reduce, name=image_path)
    expected = tuple(-(-side // 2) for side in ids.shape) if reduce else ids.shape
    if image.shape[:2] != expected:
        raise InputError(
            f"{image_path} and {mask_path} differ in size; expected a mask of the picture's size"
        )
    factor = short_side / min(ids.shape)
    size = tuple(max(short_side, round(side * factor)) for side in ids.shape[::-1])
    image = cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    )
    return image, cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST_EXACT)


def fill(image, hole):
    """The picture uint8 [h, w, 3] with the pixels of bool `hole` made up from their surroundings.

    Colour comes from a pyramid of weighted means, detail from the mirrored picture where that is
    not a hole.
    """
    if not hole.any():
        return image
    hole = cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    known = (~hole).astype(np.float32)
    if not known.any():
        return np.full_like(image, 127)
    colour = image * known[..., None]
    pyramid = []
    while min(colour.shape[:2]) > 2:
        pyramid.append((colour, known))
        colour, known = cv2.pyrDown(colour), cv2.pyrDown(known)
    smooth = np.broadcast_to(colour.sum((0, 1)) / max(known.sum(), 1e-6), colour.shape).astype(
        np.float32
    )
    for colour, known in reversed(pyramid):
        smooth = cv2.resize(smooth, colour.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        smooth = colour + (1 - known[..., None]) * smooth
    detail = image - cv2.GaussianBlur(image, (0, 0), 6).astype(np.float32)
    mirrored = np.where(hole[:, ::-1, None], 0, detail[:, ::-1])
    return np.where(hole[..., None], np.clip(smooth + mirrored, 0, 255), image).astype(np.uint8)
