"""Pictures of the net: frames and masks read with care, labels written."""

import io

import cv2
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.masks import read_mask
from vosjax.io.video.images import opened, read_image
from vosjax.tracking.slots import HostArray

FORMATS = ("JPEG", "PNG")


def read_frame(data: bytes, *, most: int) -> HostArray:
    """Decodes a frame, uint8 [H, W, 3] RGB.

        frame = read_frame(body, most=4096 * 2160)

    Args:
        data: a JPEG or PNG file.
        most: the largest number of pixels, which is compared with the file's header before anything
            is decoded.

    Raises:
        InputError: the data are no such picture, are damaged, or hold too many pixels.
    """
    width, height = _header(data, "the frame", FORMATS)
    if width * height > most:
        raise InputError(
            f"the frame claims {width}x{height} pixels (width x height): at most {most:,} are "
            "taken here"
        )
    return read_image(io.BytesIO(data), name="of the frame")


def read_labels(data: bytes, size: tuple[int, int]) -> HostArray:
    """Decodes a mask of object ids, integers [H, W].

        labels = read_labels(body, frame.shape[:2])

    Args:
        data: a PNG file.
        size: (H, W) of the frame, which the mask must have.

    Raises:
        InputError: the data are no PNG, are damaged, of another size, or not a mask (`io.masks`).
    """
    width, height = _header(data, "the mask", ("PNG",))
    if (height, width) != tuple(size):
        raise InputError(
            f"the mask is {width}x{height}, the frame is {size[1]}x{size[0]} (width x height): "
            "send a mask of the frame's size"
        )
    return read_mask(Image.open(io.BytesIO(data), formats=("PNG",)), size=size).labels


def label_png(labels: HostArray) -> bytes:
    """Encodes labels uint8 [H, W] as an 8-bit grey PNG of object ids.

        png = label_png(output.labels)

    Args:
        labels: the ids.
    """
    done, data = cv2.imencode(".png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return data.tobytes()


def _header(data: bytes, name: str, formats: tuple[str, ...]) -> tuple[int, int]:
    """Returns a picture's (width, height) by its header alone, before anything is decoded."""
    kinds = " or ".join(formats)
    if not data:
        raise InputError(f"{name} is empty (0 bytes): a {kinds} file is expected")
    try:
        with opened(io.BytesIO(data), "sent") as image:
            kind, size = image.format, image.size
    except InputError as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            raise InputError(f"{name} claims far more pixels than are taken here") from error
        raise InputError(f"{name} is no picture that can be read: send a {kinds} file") from error
    if kind not in formats:
        raise InputError(f"{name} is a {kind} file: a {kinds} file is expected")
    return size
