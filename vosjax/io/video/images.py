"""One image file as a frame: of any kind that Pillow reads, of any depth.

What becomes of an image is the same wherever it stands:

- it is turned upright by its EXIF note;
- grey, palettes, CMYK and other colour spaces become RGB as Pillow converts them (colour profiles
  are left aside); what is transparent shows black behind it;
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

MOST_PIXELS = 2**27  # of one picture: four times those of 8K


def read_image(path: Any, *, name: str | None = None) -> np.ndarray:
    """One image file as uint8 [H, W, 3] RGB, upright.

        image = read_image("00000.jpg")

    Pillow, as it refuses a truncated JPEG that OpenCV would fill with grey. Of 16 bits the high
    byte is taken (a video has a scale of its own, see `read_page`); floats go from 0 to 1, or to
    the power of two that holds the highest.

    Args:
        path: of the file; or an open file of bytes.
        name: what messages call it, where that is not the path.

    Raises:
        InputError: missing, not permitted, damaged, not an image, or levels that have no scale.
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
    """The page at which an open image stands, scaled as its video is.

    Args:
        image: open in Pillow.
        path: its file.
        scale: of the video.

    Returns:
        uint8 [H, W, 3] RGB, and whether anything in it lies above the scale.
    """
    if not is_deep(image):
        return _to_rgb(image), False
    levels = read_levels(image, path)
    white = scale.white(levels)
    above = levels.max() >= white if levels.dtype.kind != "f" else levels.max() > white
    return to_eight_bits(levels, white), bool(above)


def check_pixels(size: tuple[int, int], name: str) -> None:
    """Raises InputError for a picture of far more pixels than a frame has, before it is decoded.

        check_pixels((13000, 13000), "image 00000.png")      # InputError

    Args:
        size: (H, W), of its header.
        name: what the message calls it.
    """
    if size[0] * size[1] > MOST_PIXELS:
        raise InputError(
            f"{name} claims {size[1]}x{size[0]} pixels (width x height): at most {MOST_PIXELS:,} "
            "are read, replace it"
        )


@contextlib.contextmanager
def opened(path: Any, name: str) -> Iterator[Image.Image]:
    """The image file, open in Pillow; what goes wrong inside the block is put into words."""
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
    except Exception as error:  # of damaged data decoders raise whatever they stumble over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"image {name} cannot be read ({reason}): replace it, it is damaged or not an image"
        ) from error


def over_black(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] of which alpha uint8 [H, W] covers a black ground."""
    if (alpha == 255).all():
        return np.ascontiguousarray(colours)
    return (colours.astype(np.uint16) * alpha[..., None] // 255).astype(np.uint8)


def _to_rgb(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        array = np.array(image.convert("RGBA"))
        return over_black(array[..., :3], array[..., 3])
    return np.array(image.convert("RGB"))
