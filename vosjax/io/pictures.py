"""Reads picture files as the exact values they hold; nothing is converted, guessed or dropped.

All code that reads masks starts here. What the values mean is decided by the caller (for a user's
mask `vosjax/io/masks/`, for a dataset's label map `vosjax/io/palette.py`).

| file | result |
|---|---|
| PNG, GIF, TIFF, BMP, lossless WebP, PGM, PBM, PPM, QOI | every page or animated frame, as stored |
| JPEG, lossy WebP, JPEG 2000, AVIF, HEIC, TIFF with JPEG inside | refused, as not exact |
| 16 bits a colour channel | only PNG, if 8 bits are enough to tell its colours apart |
| anything else | refused, with what to do |
"""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image

from vosjax.errors import InputError
from vosjax.io import formats
from vosjax.io.content import damaged

MOST_PIXELS = 2**30  # in all pages together
ORIENTATION, UPRIGHT = 274, 1  # the EXIF tag, and its value if nothing has to be turned
REDUCED, TRANSPARENCY = 1, 4  # kinds of TIFF pages that are not pictures themselves

Form = Literal["flags", "greys", "levels", "floats", "indices", "colours"]
FORMS: dict[str, Form] = {  # for each of Pillow's modes
    "1": "flags",
    "L": "greys",
    "I": "levels",
    "I;16": "levels",
    "I;16B": "levels",
    "I;16L": "levels",
    "I;16N": "levels",
    "F": "floats",
    "P": "indices",
    "PA": "colours",
    "LA": "colours",
    "La": "colours",
    "RGB": "colours",
    "RGBX": "colours",
    "RGBA": "colours",
    "RGBa": "colours",
}
# How an array is turned upright, by the EXIF note (as Pillow's ImageOps.exif_transpose).
TURNS = {
    2: lambda array: array[:, ::-1],
    3: lambda array: array[::-1, ::-1],
    4: lambda array: array[::-1],
    5: lambda array: array.swapaxes(0, 1),
    6: lambda array: np.rot90(array, -1),
    7: lambda array: array[::-1, ::-1].swapaxes(0, 1),
    8: lambda array: np.rot90(array),
}
BMP_BITS: dict[Form, int] = {"flags": 1, "greys": 8}  # bits of a pixel


class Picture(NamedTuple):
    """One page of a picture file.

    form     what `values` are: 'flags' bool, 'greys' uint8, 'levels' int64 (wider greys), 'floats',
             'indices' uint8 into `palette` (all [H, W]), or 'colours' uint8 [H, W, 4] RGBA
    values   the page's values, an array of its own
    palette  uint8 [K, 4] RGBA of the K entries that the file holds; None for other forms
    what     the picture's kind in words, such as 'a palette image'
    """

    form: Form
    values: np.ndarray
    palette: np.ndarray | None
    what: str


def read_pictures(
    data: bytes,
    *,
    name: str,
    size: tuple[int, int] | None = None,
    most: int | None = None,
    upright: bool = True,
) -> Iterator[Picture]:
    """Reads the pages of a picture file, one at a time.

        (picture,) = read_pictures(load_file(path, name=path), name=path)

    Args:
        data: the file's content.
        name: what messages call the file.
        size: (H, W) that every page must have; it is checked before anything is decoded.
        most: the largest allowed number of pages; None for any number.
        upright: whether a page is turned as its EXIF note says, as viewers do.

    Yields:
        A `Picture` for every page of a TIFF and every frame of an animated GIF, PNG or WebP; one
        for any other file.

    Raises:
        InputError: the file is not a picture, is damaged, has another size, or is of a kind that is
            not exact.
    """
    formats.check_kind(data, name)
    with _decoding(name):
        image: Any = Image.open(io.BytesIO(data), formats=formats.FORMATS)
        formats.check_whole(image, data, name)
        pages = range(bool(getattr(image, "default_image", False)), getattr(image, "n_frames", 1))
    if most is not None and len(pages) > most:
        raise InputError(
            f"{name} holds {len(pages)} pages, the video has {most} frame(s): at most a page for "
            "each frame is expected"
        )
    with image:
        for page in pages:
            with _decoding(name):
                image.seek(page)
                if image.format == "TIFF":
                    if image.tag_v2.get(254, 0) & (REDUCED | TRANSPARENCY):
                        continue
                    formats.check_tiff_page(image, name)
                stored = image.size[::-1]
                if size not in (stored, stored[::-1]):
                    check_size(stored, size, name)
                if len(pages) * stored[0] * stored[1] > MOST_PIXELS:
                    raise InputError(f"{name} holds {len(pages)} pages, too many to be read")
                with _silent() if image.format == "TIFF" else contextlib.nullcontext():
                    image.load()
                turns = upright and image.format != "TIFF"  # Pillow has already turned TIFF pages
                turn = image.getexif().get(ORIENTATION, UPRIGHT) if turns else UPRIGHT
                picture = _picture(image, data, name)
                values = np.ascontiguousarray(TURNS.get(turn, np.asarray)(picture.values))
                check_size(values.shape[:2], size, name)
            yield picture._replace(values=values)


def check_size(shape: tuple[int, int], size: tuple[int, int] | None, name: str) -> None:
    """Raises InputError unless `shape` (H, W) is `size`, or `size` is None.

    check_size(labels.shape, video.size, "mask first.png")
    """
    if size is None or tuple(shape) == tuple(size):
        return
    remedy = "resize the mask with nearest neighbour"
    if tuple(shape) == tuple(size)[::-1]:
        remedy = "the sides are swapped; frames are turned as their EXIF note says, turn the mask"
    raise InputError(
        f"{name} is {shape[1]}x{shape[0]}, the video is {size[1]}x{size[0]} (width x height): "
        f"{remedy}"
    )


def from_image(image: Image.Image, *, name: str, size: tuple[int, int] | None = None) -> Picture:
    """Converts the current page of a Pillow image in memory.

        picture = from_image(Image.open("first.png"), name="the mask")

    Args:
        image: the image, of any but the rare modes.
        name: what messages call the image.
        size: (H, W) that it must have.

    Raises:
        InputError: the image has another size or a rare mode, or was opened from a lossy format.
    """
    if image.format in formats.LOSSY_OF_PILLOW:
        raise formats.inexact(name, image.format)
    check_size(image.size[::-1], size, name)
    with _decoding(name):
        image.load()
        return _picture(image, b"", name)


@contextlib.contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turns whatever a decoder raises into one line, since the file is at fault."""
    try:
        yield
    except InputError:
        raise
    except Image.UnidentifiedImageError as error:
        raise damaged(name, "it is no picture") from error
    except Image.DecompressionBombError as error:
        raise damaged(name, "it claims far more pixels than a video has") from error
    except Exception as error:
        raise damaged(name, str(error) or type(error).__name__) from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps libtiff from writing to the terminal in addition to the one line of an error."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _picture(image: Image.Image, data: bytes, name: str) -> Picture:
    """Returns the loaded page of `image` as it is stored."""
    form, what = FORMS.get(image.mode), _described(image)
    if form is None:
        raise InputError(f"{name} has {image.mode} colours: save it as RGB or palette PNG")
    transparent = image.info.get("transparency")
    if form == "colours" and image.format == "PNG" and data[24:25] == b"\x10":
        return Picture(form, _wide_colours(data, name), None, what)
    if image.format == "BMP" and form in BMP_BITS and data[28] != BMP_BITS[form]:
        return Picture("colours", _narrow_bmp(data), None, what)
    if form == "colours" or (form in ("flags", "greys") and transparent is not None):
        return Picture("colours", np.array(image.convert("RGBA")), None, what)
    values = np.array(image)
    if form == "levels":
        values = values.astype(np.int64)
        if isinstance(transparent, int):
            values[values == transparent] = 0
    return Picture(form, values, _palette(image) if form == "indices" else None, what)


def _described(image: Image.Image) -> str:
    words = {"1": "a black-and-white image", "P": "a palette image", "R": "an RGB image"}
    alpha = "transparency" in image.info or image.mode[-1] in "Aa"
    return words.get(image.mode[0], "a grey image") + (" with alpha" if alpha else "")


def _palette(image: Image.Image) -> np.ndarray:
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
    palette = np.full((len(colours), 4), 255, np.uint8)
    palette[:, :3] = colours
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        palette[transparent : transparent + 1, 3] = 0
    elif isinstance(transparent, bytes):
        alpha = np.frombuffer(transparent, np.uint8)[: len(palette)]
        palette[: len(alpha), 3] = alpha
    return palette


def _narrow_bmp(data: bytes) -> np.ndarray:
    """Reads uint8 [H, W, 4] RGBA of a BMP whose pixels have more bits than its few greys suggest.

    Pillow (13.0) would read the bits of several pixels as one.
    """
    colours = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(colours, cv2.COLOR_BGR2RGBA)


def _wide_colours(data: bytes, name: str) -> np.ndarray:
    """Reads uint8 [H, W, 4] RGBA of a PNG with 16 bits a channel, if 8 bits tell them apart."""
    stored: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    wide = np.full((*stored.shape[:2], 4), 65535, np.uint16)
    wide[..., :3] = stored[..., 2::-1]
    if stored.shape[2] == 4:
        wide[..., 3] = stored[..., 3]
    colours = np.unique(wide.reshape(-1, 4), axis=0)
    turned_black = (colours >> 8 == 0) & (colours > 0)
    if turned_black.any() or len(np.unique(colours >> 8, axis=0)) < len(colours):
        raise InputError(
            f"{name} has 16 bits a colour channel, and 8 do not tell its colours apart: save the "
            "ids as a grey PNG or an integer .npy"
        )
    return (wide >> 8).astype(np.uint8)
