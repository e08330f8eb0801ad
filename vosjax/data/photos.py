"""Photos with instance masks: listed, read at working size, inpainted, and cut into objects."""

import functools
import os
import pathlib
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data import types
from vosjax.data.synthetic import sprites
from vosjax.datasets import decode
from vosjax.datasets.decode import Labels, Picture
from vosjax.errors import InputError

_LONGEST = 2**15 - 2  # the longest side in pixels that OpenCV can warp
_MOST = 200  # objects of one photo; leaves ids free for the others of a clip

File = str | bytes  # a path, or the file's bytes


class PhotoSource(Protocol):
    """Photos by index: `source[i]` is (image, mask), paths or encoded bytes."""

    def __len__(self) -> int:
        """The number of photos."""

    def __getitem__(self, index: int, /) -> tuple[File, File]:
        """A photo's image and mask."""


class Cutout(NamedTuple):
    """An object cut out of a photo.

    id      its id in the photo's mask
    patch   uint8 [h, w, 4], RGB and opacity
    corner  (x, y) of the patch in the photo
    """

    id: int
    patch: npt.NDArray[np.uint8]
    corner: tuple[int, int]


class Photo(NamedTuple):
    """A photo at working size.

    image    uint8 [h, w, 3]
    ids      uint8 [h, w]     0 background, 1..n objects, 255 ignored
    filled   uint8 [h, w, 3]  the photo without its objects
    cutouts  the objects in the order of their ids
    """

    image: Picture
    ids: Labels
    filled: Picture
    cutouts: tuple[Cutout, ...]


def pairs(folder: str | os.PathLike[str]) -> tuple[tuple[str, str], ...]:
    """Lists the (image path, mask path) pairs of `folder`/images and `folder`/masks, sorted.

        pairs("stills")  # (('stills/images/0.jpg', 'stills/masks/0.png'), ...)

    An image and a mask belong together if their file names have the same stem.

    Raises:
        InputError: there is no pair.
    """
    root = pathlib.Path(folder)
    masks = {path.stem: path for path in (root / "masks").glob("*.png")}
    images = sorted(
        path
        for path in (root / "images").glob("*")
        if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    )
    matched = tuple((str(path), str(masks[path.stem])) for path in images if path.stem in masks)
    if not matched:
        raise InputError(
            f"no stills in {root}: expected images/NAME.jpg with masks/NAME.png of one name; "
            "give another folder, or train on rendered clips only"
        )
    return matched


@functools.lru_cache(maxsize=128)
def load(image: File, mask: File, *, short_side: int, least_area: float) -> Photo:
    """Reads a `Photo` and cuts out its objects; the 128 photos used last are kept in memory.

        photo = load("stills/images/0.jpg", "stills/masks/0.png", short_side=560, least_area=0.004)

    Args:
        image: path of the image, or the file's bytes.
        mask: path of the mask, or the file's bytes.
        short_side: short side of the photo at working size, in pixels.
        least_area: objects below this share of the photo's area get no cutout.

    Raises:
        InputError: the files cannot be read, or differ in size.
    """
    picture, ids = read(image, mask, short_side=short_side)
    cutouts = tuple(
        Cutout(int(i), *sprites.cut(picture, ids == i))
        for i in types.visible_ids(ids, max(least_area * ids.size, 30))
    )
    return Photo(picture, ids, fill(picture, ids > 0), cutouts)


def read(
    image: File, mask: File, *, short_side: int, enlarge: bool = True
) -> tuple[Picture, Labels]:
    """Reads a photo and its mask at working size: uint8 [h, w, 3], and ids 1..n uint8 [h, w].

        image, ids = read("stills/images/0.jpg", "stills/masks/0.png", short_side=560)

    Args:
        image: path of the image, or the file's bytes.
        mask: path of the mask, or its bytes: a palette or grey PNG of ids, see `decode.mask`.
        short_side: short side at working size, in pixels.
        enlarge: whether pictures with a smaller short side are enlarged to it.

    Raises:
        InputError: the files cannot be read, differ in size, or are too narrow to be enlarged.
    """
    image_name = "a photo" if isinstance(image, bytes) else image
    mask_name = "its mask" if isinstance(mask, bytes) else mask
    ids, count = types.densify(decode.mask(_bytes(mask), name=mask_name))
    short_side = short_side if enlarge else min(short_side, *ids.shape)
    if count > _MOST:
        ids[(ids > _MOST) & (ids != types.IGNORE)] = 0
    reduce = min(ids.shape) >= 2 * short_side
    picture = decode.image(_bytes(image), reduce=1 + reduce, name=image_name)
    expected = tuple(-(-side // 2) for side in ids.shape) if reduce else ids.shape
    if picture.shape[:2] != expected:
        raise InputError(
            f"{image_name} and {mask_name} differ in size; expected a mask of the picture's size"
        )
    factor = short_side / min(ids.shape)
    height, width = (max(short_side, round(side * factor)) for side in ids.shape)
    if enlarge and max(height, width) > _LONGEST:
        raise InputError(
            f"{image_name} is {ids.shape[1]}x{ids.shape[0]} pixels, of which training would make "
            f"{width}x{height}, and no side above {_LONGEST:,} can be warped: crop it, or leave "
            "it out"
        )
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return (
        cv2.resize(picture, (width, height), interpolation=smooth),
        cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT),
    )


def fill(image: Picture, hole: npt.NDArray[np.bool_]) -> Picture:
    """Inpaints the pixels of a hole, bool [h, w], in a picture, uint8 [h, w, 3].

        background = fill(image, ids > 0)

    The colour comes from a pyramid of weighted means of the surroundings, the detail from the
    mirrored picture wherever that is not a hole itself.
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
    smooth = np.broadcast_to(
        colour.sum((0, 1)) / max(float(known.sum()), 1e-6), colour.shape
    ).astype(np.float32)
    for colour, known in reversed(pyramid):
        smooth = cv2.resize(smooth, colour.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        smooth = colour + (1 - known[..., None]) * smooth
    detail = image - cv2.GaussianBlur(image, (0, 0), 6).astype(np.float32)
    mirrored = np.where(hole[:, ::-1, None], 0, detail[:, ::-1])
    return np.where(hole[..., None], np.clip(smooth + mirrored, 0, 255), image).astype(np.uint8)


def _bytes(file: File) -> bytes:
    return file if isinstance(file, bytes) else pathlib.Path(file).read_bytes()
