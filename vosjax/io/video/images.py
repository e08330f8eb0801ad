"""Reads one image file as a frame, of any kind that Pillow reads and of any depth.

An image is treated in the same way wherever it is found:

- it is turned upright by its EXIF note;
- grey, palettes, CMYK and other colour spaces become RGB as Pillow converts them (colour profiles
  are ignored); transparent parts show black;
- levels of more than eight bits are scaled; see `vosjax.io.video.depth`.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vosjax.errors import InputError
from vosjax.io.names import printable
from vosjax.io.video.depth import Scale, find_scale, is_deep, read_levels, to_eight_bits

MOST_PIXELS = 2**27  # of one picture: four times as many as in 8K


def read_image(path: Any, *, name: str | None = None) -> np.ndarray:
    """Reads an image file as uint8 [H, W, 3] RGB, upright.

        image = read_image("00000.jpg")

    It is read by Pillow, which refuses a truncated JPEG that OpenCV would fill with grey. Of 16
    bits the high byte is taken (a video has a scale of its own, see `read_page`); floats go from 0
    to 1, or to the power of two that holds the highest.

    Args:
        path: the file, or an open binary file.
        name: what messages call it; by default the path.

    Raises:
        InputError: the file is missing, not permitted, damaged or not an image, or its levels have
            no scale.
    """
    name = printable(path) if name is None else name
    with opened(path, name) as image:
        check_pixels(image.size[::-1], f"image {name}")
        if not is_deep(image):
            return read_page(image, path, Scale())[0]
        levels = read_levels(image, path)
    scale = find_scale([levels], name) if levels.dtype.kind == "f" else Scale()
    return to_eight_bits(levels, scale.white(levels))


def read_page(
    image: Image.Image, path: str | os.PathLike[str], scale: Scale
) -> tuple[np.ndarray, bool]:
    """Converts the current page of an open image, scaled like its video.

        image, is_clipped = read_page(Image.open("00000.png"), "00000.png", scale)

    Args:
        image: the image, open in Pillow.
        path: its file.
        scale: the scale of the video.

    Returns:
        uint8 [H, W, 3] RGB, and whether any of its levels lies above the scale.
    """
    if not is_deep(image):
        return _to_rgb(image), False
    levels = read_levels(image, path)
    white = scale.white(levels)
    above = levels.max() >= white if levels.dtype.kind != "f" else levels.max() > white
    return to_eight_bits(levels, white), bool(above)


def check_pixels(size: tuple[int, int], name: str) -> None:
    """Refuses a picture of far more pixels than a frame has, before it is decoded.

        check_pixels((13000, 13000), "image 00000.png")      # InputError

    Args:
        size: (H, W) by its header.
        name: what the message calls it.

    Raises:
        InputError: it has too many pixels.
    """
    if size[0] * size[1] > MOST_PIXELS:
        raise InputError(
            f"{name} claims {size[1]}x{size[0]} pixels (width x height): at most {MOST_PIXELS:,} "
            "are read, replace it"
        )


@contextlib.contextmanager
def opened(path: Any, name: str) -> Iterator[Image.Image]:
    """Opens an image file in Pillow for the block, and turns errors inside it into clear lines.

    with opened("00000.png", "image 00000.png") as image:
        image.load()
    """
    try:
        with Image.open(path) as image:
            yield image
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"there is no image at {name}") from error
    except PermissionError as error:
        raise InputError(
            f"image {name} may not be read (permission denied): change its permissions"
        ) from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"image {name} cannot be read: it is damaged, not an image, or of a kind that Pillow "
            "does not know; replace it, or convert it to PNG"
        ) from error
    except Exception as error:  # decoders may raise anything for damaged data
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"image {name} cannot be read ({reason}): replace it, it is damaged or not an image"
        ) from error


def over_black(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Lays colours uint8 [H, W, 3] over black, by their alpha uint8 [H, W].

    over_black(colours, alpha)
    """
    if (alpha == 255).all():
        return np.ascontiguousarray(colours)
    return (colours.astype(np.uint16) * alpha[..., None] // 255).astype(np.uint8)


def _to_rgb(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        array = np.array(image.convert("RGBA"))
        return over_black(array[..., :3], array[..., 3])
    return np.array(image.convert("RGB"))
