"""Checks by a picture file's format whether it is read at all, and whether its values are exact.

The format is recognised by the content, never by the ending.
"""

import struct
import zlib
from typing import Any

from PIL import Image

from vosjax.errors import InputError
from vosjax.io.names import printable

FORMATS = ("PNG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "QOI")  # of Pillow; others are not asked

# What a file of another kind has at an offset, and what messages call the kind.
LOSSY = {
    (0, b"\xff\xd8\xff"): "JPEG",
    (0, b"\x00\x00\x00\x0cjP  "): "JPEG 2000",
    (0, b"\xff\x4f\xff\x51"): "JPEG 2000",
    (4, b"ftypavi"): "AVIF",
    (4, b"ftyphei"): "HEIC",
    (4, b"ftypmif1"): "HEIC",
    (0, b"\xff\x0a"): "JPEG XL",
    (4, b"JXL "): "JPEG XL",
    (4, b"ftyp"): "a video",
    (8, b"AVI "): "a video",
    (0, b"\x1aE\xdf\xa3"): "a video",
}
UNREAD = {
    (0, b"8BPS"): "a Photoshop document",
    (0, b"gimp xcf"): "a GIMP document",
    (0, b"<svg"): "an SVG drawing",
    (0, b"<?xml"): "an XML document",
    (0, b"%PDF"): "a PDF document",
    (0, b"%!PS"): "a PostScript document",
    (0, b"\x76\x2f\x31\x01"): "an OpenEXR picture",
    (0, b"\x89HDF"): "an HDF5 file",
    (0, b"MATLAB"): "a MATLAB file",
    (128, b"DICM"): "a DICOM file",
    (0, b"\x80\x02"): "a pickled Python object",
    (0, b"\x80\x03"): "a pickled Python object",
    (0, b"\x80\x04"): "a pickled Python object",
    (0, b"\x80\x05"): "a pickled Python object",
    (0, b"\x1f\x8b"): "a gzip file",
}
LOSSY_OF_PILLOW = ("JPEG", "MPO", "JPEG2000", "AVIF")
EXACT_TIFF = (
    "raw",
    "tiff_raw_16",
    "tiff_ccitt",
    "group3",
    "group4",
    "tiff_lzw",
    "tiff_adobe_deflate",
    "tiff_deflate",
    "packbits",
    "lzma",
    "zstd",
)


def check_kind(data: bytes, name: str) -> None:
    """Refuses a file that is not a picture format with exact values.

        check_kind(b"%PDF-1.7 ...", "mask first.png")       # InputError

    Args:
        data: the file's content, or its first 132 bytes at least; for WebP, all of it.
        name: what the message calls the file.

    Raises:
        InputError: the format is lossy, or is not read.
    """
    lossy = _kind(data, LOSSY) or ("lossy WebP" if _is_lossy_webp(data) else None)
    if lossy:
        raise inexact(name, lossy)
    unread = _kind(data, UNREAD)
    if unread:
        raise InputError(
            f"{name} is {unread}, which is not read as a mask: export it as PNG, every object in "
            "one colour on black, without smoothing"
        )


def check_whole(image: Image.Image, data: bytes, name: str) -> None:
    """Refuses a file that its decoder would accept, but not with the values that were stored.

        check_whole(Image.open(io.BytesIO(data)), data, "mask first.png")

    Args:
        image: the image opened from `data`.
        data: the file's content.
        name: what the message calls the file.

    Raises:
        ValueError: a PNG has a wrong checksum, which decoders ignore.
        InputError: a PGM or PPM has values that the decoder would rescale.
    """
    if image.format == "PNG":
        _check_chunks(data)
    if image.format == "PPM" and data[:2] in (b"P2", b"P3", b"P5", b"P6"):
        lines = [line.split(b"#")[0] for line in data[:4096].splitlines()]
        greatest = int(b" ".join(lines).split()[3])
        if greatest not in (255, 65535):
            raise InputError(f"{name} has the greatest value {greatest}: 255 is expected, or PNG")


def check_tiff_page(image: Image.Image, name: str) -> None:
    """Refuses the current page of a TIFF image if its values may not be exact.

        check_tiff_page(image, "mask first.tif")

    Args:
        image: the image, at the page to be checked.
        name: what the message calls the file.

    Raises:
        InputError: the page has a lossy compression, or colours of more than 8 bits a channel.
    """
    compression = image.info.get("compression", "raw")
    if compression not in EXACT_TIFF:
        raise inexact(name, f"TIFF with {printable(compression)} inside")
    tags: Any = image.tag_v2  # type: ignore[attr-defined]  # of TIFFs alone
    bits = tags.get(258, (1,))
    if len(bits) > 1 and max(bits) > 8:
        raise InputError(f"{name} has {max(bits)} bits a colour channel: save it with 8, as PNG")


def inexact(name: str, kind: str) -> InputError:
    """Returns the error that refuses a file in a lossy format.

        error = inexact("mask first.jpg", "JPEG")

    Args:
        name: what the message calls the file.
        kind: the name of the format.
    """
    return InputError(
        f"{name} is stored with loss ({kind}), so that its pixels' values are not those of the "
        "mask: save the mask anew as PNG, from the program that made it"
    )


def _kind(data: bytes, kinds: dict) -> str | None:
    for (offset, start), kind in kinds.items():
        if data[offset : offset + len(start)] == start:
            return kind
    return None


def _is_lossy_webp(data: bytes) -> bool:
    """Returns whether a WebP file has a frame in a lossy chunk ('VP8 ')."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return False
    offset = 12
    while offset + 8 <= len(data):
        kind = data[offset : offset + 4]
        length = int.from_bytes(data[offset + 4 : offset + 8], "little")
        if kind == b"VP8 ":
            return True
        # A frame of an animation has a header of 16 bytes before the chunks inside it.
        offset += 24 if kind == b"ANMF" else 8 + length + length % 2
    return False


def _check_chunks(data: bytes) -> None:
    offset, kind = 8, b""
    while kind != b"IEND":
        if offset + 12 > len(data):
            raise ValueError("the file ends early")
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        body, checksum = data[offset + 4 : end - 4], data[end - 4 : end]
        if end > len(data) or zlib.crc32(body) != int.from_bytes(checksum, "big"):
            raise ValueError("a checksum does not fit")
        offset = end
