"""Encoded pictures and masks to arrays; pictures at reduced scale where that is enough."""

import io

import cv2
import numpy as np
from PIL import Image

from vosjax.errors import InputError

_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def reduction(scale):
    """The largest of 1, 2, 4, 8 by which a picture may be reduced before it is scaled by `scale`.

    JPEG is decoded at that scale at a third to a tenth of the cost.
    """
    return next(factor for factor in (8, 4, 2, 1) if scale * factor <= 1 or factor == 1)


def image(data, *, reduce=1, name="a frame"):
    """A picture uint8 [ceil(H / reduce), ceil(W / reduce), 3] RGB, as stored (no EXIF turning).

    Raises:
        InputError: it cannot be decoded.
    """
    flags = _REDUCED[reduce] | cv2.IMREAD_IGNORE_ORIENTATION
    found = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if found is None:
        raise InputError(f"{name} cannot be decoded: replace it, it is damaged or not a picture")
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB, dst=found)


def mask(data, *, name="a mask"):
    """Object ids uint8 [H, W] of a palette or grey PNG, as stored.

    A mask of 0 and 255 only is one object with id 1.

    Raises:
        InputError: it cannot be decoded, or holds colours.
    """
    try:
        with Image.open(io.BytesIO(data)) as file:
            if file.mode not in ("P", "L", "1"):
                raise InputError(
                    f"{name} has mode {file.mode}: a palette or grey PNG of object ids is expected"
                )
            ids = np.array(file).astype(np.uint8, copy=False)
    except (OSError, SyntaxError) as error:
        raise InputError(f"{name} cannot be decoded ({error}): replace it") from error
    if ids.max(initial=0) == 255 and set(np.unique(ids)) <= {0, 255}:
        return (ids > 0).astype(np.uint8)
    return ids


def size(data, *, name="a frame"):
    """(height, width) of an encoded picture as stored, from its header.

    Raises:
        InputError: it has none.
    """
    try:
        with Image.open(io.BytesIO(data)) as file:
            return file.size[::-1]
    except (OSError, SyntaxError) as error:
        raise InputError(f"{name} cannot be decoded ({error}): replace it") from error
