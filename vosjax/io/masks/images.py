"""Reads picture files as raw masks; files of several pages have one for each frame."""

import numpy as np
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.masks.raw import Page, Raw, TargetVideo
from vosjax.io.palette import DAVIS
from vosjax.io.pictures import Picture, from_image, read_pictures
from vosjax.io.smoothing import smoothed

WHITE = 0xFFFFFF
DEGREES = 2  # degrees of partial transparency; more of them are the edge of a smoothed drawing


def read_image_file(data: bytes, name: str, video: TargetVideo) -> list[Page]:
    """Reads the pages of a picture file.

        pages = read_image_file(data, "mask first.png", TargetVideo((480, 854)))

    Args:
        data: the file's content.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: as for `vosjax.io.pictures.read_pictures`; the values are floats, or the
            transparency is smooth.
    """
    pictures = list(read_pictures(data, name=name, size=video.size, most=video.count))
    if len(pictures) == 1:
        return [Page(raw_picture(pictures[0], name), None)]
    return [
        Page(raw_picture(picture, f"page {page} of {name}"), page)
        for page, picture in enumerate(pictures)
    ]


def read_image(image: Image.Image, name: str, video: TargetVideo) -> list[Page]:
    """Reads a Pillow image as it is in memory; arguments and errors as for `read_image_file`.

    pages = read_image(Image.open("first.png"), "the mask", TargetVideo((480, 854)))
    """
    return [Page(raw_picture(from_image(image, name=name, size=video.size), name), None)]


def raw_picture(picture: Picture, name: str) -> Raw:
    """Converts a picture's values to a raw mask.

        raw = raw_picture(picture, "mask first.png")

    Raises:
        InputError: the values are floats or cannot be ids, or the transparency is smooth.
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
    """Converts ids, bool or integers [H, W], to a raw mask, as a copy.

        raw = raw_numbers(labels, "the mask", "an array of int32")

    Args:
        values: the ids.
        name: what messages call the mask.
        what: its kind in words.

    Raises:
        InputError: an id is below 0 or above 65535.
    """
    if values.dtype == np.uint8:
        return Raw(name, what, "greys", values.copy())
    if values.min() < 0 or values.max() > 65535:
        raise InputError(
            f"{name} holds ids from {values.min()} to {values.max()}: 0 to 65535 are expected"
        )
    return Raw(name, what, "numbers", values.astype(np.uint16))


def pack(colours: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Packs colours into one integer per pixel, r << 16 | g << 8 | b.

        values, doubts = pack(colours, "mask first.png")

    Pixels that are fully transparent become 0, like black ones. If everything that is not
    transparent is black, the transparency is the mask, and its visible part becomes white.

    Args:
        colours: uint8 [H, W, 3 or 4].
        name: what messages call the mask.

    Returns:
        int32 [H, W], and sentences on what could have been read otherwise.

    Raises:
        InputError: there are several degrees of transparency.
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
