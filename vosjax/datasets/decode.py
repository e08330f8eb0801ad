"""Turns stored pictures and masks into arrays; the only place that decodes a dataset's files.

Messages call a file that cannot be used by the `name` that the caller gives, which usually comes
from `Source.locate`.
"""

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from vosjax.errors import Damaged, InputError
from vosjax.io import formats
from vosjax.io.palette import one_object
from vosjax.io.video import read_image
from vosjax.io.video.images import check_pixels

Labels = npt.NDArray[np.uint8]
Picture = npt.NDArray[np.uint8]

IGNORE = 255  # void: the value of pixels that are neither object nor background

_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
_WIDE = ("I;16", "I;16B", "I")  # Pillow's modes of 16-bit grey


def reduction(scale: float) -> int:
    """Returns the largest of 1, 2, 4, 8 by which a picture may be reduced before scaling it.

        reduction(0.3)  # 2

    Decoding a JPEG at that scale costs a third to a tenth as much.

    Args:
        scale: the factor by which the picture will be scaled.
    """
    return next(factor for factor in (8, 4, 2, 1) if scale * factor <= 1 or factor == 1)


def image(data: bytes, *, reduce: int = 1, name: str = "a frame") -> Picture:
    """Decodes a picture for training by OpenCV, as it is stored, and reduced if that is enough.

        picture = image(encoded.image, reduce=reduction(0.4))

    Args:
        data: content of a JPEG or PNG.
        reduce: 1, 2, 4 or 8, see `reduction`.
        name: what messages call the picture.

    Returns:
        uint8 [ceil(H / reduce), ceil(W / reduce), 3] RGB, not turned by EXIF, so that masks fit.

    Raises:
        InputError: the picture cannot be decoded, or claims far more pixels than a frame has.
    """
    size(data, name=name)
    flags = _REDUCED[reduce] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        picture = None
    if picture is None:
        raise Damaged(f"{name} cannot be decoded: replace it, it is damaged or not a picture")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture), np.uint8)


def frame(data: bytes, *, name: str = "a frame") -> Picture:
    """Decodes a picture for evaluation, as `io.video.read_image` reads any image file.

        picture = frame(encoded.image)

    Unlike `image`, it refuses a truncated JPEG, whose rest OpenCV would fill with grey.

    Args:
        data: content of an image file.
        name: what messages call the picture.

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        InputError: it is damaged, or not a picture.
    """
    return read_image(io.BytesIO(data), name=name)


def labels(data: bytes, *, name: str = "a mask") -> Labels:
    """Decodes a label PNG as it is stored, by evaluation's rule that 255 is void.

        truth = labels(encoded.mask, name=source.locate(video, index).mask)

    Palette PNGs give their indices, grey ones their levels, and those of one bit 0 and 1. An alpha
    channel that is opaque everywhere is ignored, since DAVIS 2016 was published with one in the
    mask train/bear/00077.

    Args:
        data: content of the file.
        name: what messages call the mask.

    Returns:
        uint8 [H, W].

    Raises:
        InputError: it is damaged, in a lossy format (JPEG), or has colours, transparency or 16
            bits.
    """
    return _values(data, name, ("P", "L", "1")).astype(np.uint8, copy=False)


def wide_labels(data: bytes, *, name: str = "a mask") -> npt.NDArray[np.integer]:
    """Decodes a label PNG of up to 16 bits as it is stored; otherwise like `labels`.

        ids = wide_labels(encoded.mask)

    Returns:
        uint8 [H, W], or the wider integers of a 16-bit file.

    Raises:
        InputError: it is damaged, or has colours or transparency.
    """
    values = _values(data, name, ("P", "L", "1", *_WIDE))
    return values.astype(np.uint8) if values.dtype == bool else values


def mask(data: bytes, *, name: str = "a mask") -> Labels:
    """Decodes a label PNG for training: like `labels`, but 255 in a mask of 0 and 255 is object 1.

        ids = mask(encoded.mask)

    Datasets of one object with black-and-white masks can thus be trained on as they are.
    (Evaluation decides this by a video's first mask, see `eval.rules`: in a frame that an object
    has left, 255 alone may be void.)

    Returns:
        uint8 [H, W] of ids: 0 background, 255 ignored.

    Raises:
        InputError: as for `labels`.
    """
    return one_object(labels(data, name=name), void=IGNORE)


def size(data: bytes, *, name: str = "a frame") -> tuple[int, int]:
    """Returns (height, width) of an encoded picture as it is stored, from its first bytes.

        height, width = size(encoded.image)

    Raises:
        InputError: it is not a picture, or claims far more pixels than a frame has.
    """
    try:
        with Image.open(io.BytesIO(data)) as file:
            height, width = file.height, file.width
    except _DAMAGED as error:
        raise Damaged(f"{name} cannot be decoded ({error}): replace it") from error
    check_pixels((height, width), name)
    return height, width


def counts(values: Labels) -> dict[int, int]:
    """Returns {value: number of pixels} of a label map uint8 [H, W], without 0.

    counts(np.array([[0, 1, 1]], np.uint8))     # {1: 2}
    """
    numbers = np.bincount(values.reshape(-1), minlength=256)
    return {int(i): int(numbers[i]) for i in np.flatnonzero(numbers) if i}


def _values(data: bytes, name: str, modes: tuple[str, ...]) -> npt.NDArray[np.integer]:
    """Returns the values [H, W] of a PNG in one of Pillow's `modes`, or grey with opaque alpha."""
    formats.check_kind(data, name)
    try:
        with Image.open(io.BytesIO(data)) as file:
            check_pixels(file.size[::-1], name)
            mode, values = file.mode, np.array(file)
    except InputError:
        raise
    except _DAMAGED as error:
        raise Damaged(
            f"{name} cannot be read ({error}): replace it, it is damaged or no PNG"
        ) from error
    if mode == "LA" and (values[..., 1] == 255).all():
        return np.ascontiguousarray(values[..., 0])
    if mode not in modes:
        raise InputError(f"{name} has mode {mode}: a palette or grey PNG of object ids is expected")
    return values
