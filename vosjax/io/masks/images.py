"""Picture files as raw masks: a page for each frame where there are several."""

import numpy as np
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.masks.raw import Page, Raw, TargetVideo
from vosjax.io.palette import DAVIS
from vosjax.io.pictures import Picture, from_image, read_pictures
from vosjax.io.smoothing import smoothed

WHITE = 0xFFFFFF
DEGREES = 2  # of partial transparency; more are the edge of a smoothed drawing


def read_image_file(data: bytes, name: str, video: TargetVideo) -> list[Page]:
    """The pages of a picture file.

    Raises:
        InputError: as `vosjax.io.pictures.read_pictures`; floats; smooth transparency.
    """
    pictures = list(read_pictures(data, name=name, size=video.size, most=video.count))
    if len(pictures) == 1:
        return [Page(raw_picture(pictures[0], name), None)]
    return [
        Page(raw_picture(picture, f"page {page} of {name}"), page)
        for page, picture in enumerate(pictures)
    ]


def read_image(image: Image.Image, name: str, video: TargetVideo) -> list[Page]:
    """A Pillow image as it is in memory."""
    return [Page(raw_picture(from_image(image, name=name, size=video.size), name), None)]


def raw_picture(picture: Picture, name: str) -> Raw:
    """A picture's values as a raw mask.

    Raises:
        InputError: floats, values that are no ids, or smooth transparency.
    """
    if picture.form == "floats":
        raise InputError(
            f"{name} holds floating-point values: whole ids are expected, save it with 8 or 16 bits"
        )
    if picture.form == "colours":
        values, doubts = pack(picture.values, name)
        return Raw(name, picture.what, "colours", values, doubts=doubts)
    if picture.palette is not None:
        palette = np.full((256, 4), 255, np.uint8)
        palette[:, :3] = DAVIS
        palette[: len(picture.palette)] = picture.palette
        return Raw(name, picture.what, "indices", picture.values, palette)
    return raw_numbers(picture.values, name, picture.what)


def raw_numbers(values: np.ndarray, name: str, what: str) -> Raw:
    """Ids [H, W] of bool or integers as a raw mask, copied.

    Raises:
        InputError: ids below 0 or above 65535.
    """
    if values.dtype == np.uint8:
        return Raw(name, what, "greys", values.copy())
    if values.min() < 0 or values.max() > 65535:
        raise InputError(
            f"{name} holds ids from {values.min()} to {values.max()}: 0 to 65535 are expected"
        )
    return Raw(name, what, "numbers", values.astype(np.uint16))


def pack(colours: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Colours uint8 [H, W, 3 or 4] as int32 [H, W], r << 16 | g << 8 | b, and doubts about them.

    What is fully transparent is 0, as black is. Where all that is not transparent is black, the
    transparency is the mask: its visible part is white.

    Raises:
        InputError: several degrees of transparency.
    """
    packed = colours.astype(np.int32)
    values = packed[..., 0] << 16 | packed[..., 1] << 8 | packed[..., 2]
    if colours.shape[2] == 3:
        return values, ()
    alpha = colours[..., 3]
    degrees = np.unique(alpha)
    if np.count_nonzero((degrees > 0) & (degrees < 255)) > DEGREES:
        raise smoothed(name, f"{len(degrees)} degrees of transparency")
    hidden = alpha == 0
    black = ~hidden & (values == 0)
    values[hidden] = 0
    if not hidden.any() or not black.any():
        return values, ()
    if values.any():
        return values, (
            f"{name}: {np.count_nonzero(black)} black pixels are background like the transparent "
            "ones; give an object another colour than black",
        )
    values[black] = WHITE
    return values, (f"{name}: its colour is black throughout, so its transparency is the mask",)
