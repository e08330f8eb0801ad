"""Reads arrays as raw masks, from memory and from .npy and .npz files.

| array | result |
|---|---|
| bool or integers [H, W] | one mask of ids |
| uint8 [H, W, 3 or 4] | one mask of colours |
| bool or integers [T, H, W], uint8 [T, H, W, 3 or 4] | a mask for each of the frames 0..T-1 |
| .npz of one array | as that array |
| .npz of several | each for the frame that its key names: `00012`, `12` or `frame_12` |
| floats, masked arrays, Python objects | refused |
"""

import io
import math
import zipfile
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from vosjax.errors import InputError
from vosjax.io.content import LARGEST_FILE, damaged
from vosjax.io.masks.frames import without_prefix
from vosjax.io.masks.images import pack, raw_numbers
from vosjax.io.masks.raw import Page, Raw, TargetVideo
from vosjax.io.names import printable
from vosjax.io.pictures import check_size

SINGLE = ({1}, {255}, {65535})  # the ids of a mask that only tells object from background
EXPECTED = (
    "integers [H, W] of object ids, uint8 [H, W, 3 or 4] of colours, or one of these for each of "
    "the first T frames, [T, ...], are expected"
)
_HEADERS: dict[tuple[int, int], Callable] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_array(source: Any, name: str, video: TargetVideo) -> list[Page]:
    """Reads, as a copy, anything that NumPy can convert to an array.

        pages = read_array(labels, "the mask", TargetVideo((480, 854)))

    Args:
        source: the array, or what NumPy makes one of.
        name: what messages call it.
        video: the video that the masks are for.

    Raises:
        InputError: the array has a type or shape that is not in the table above.
    """
    if isinstance(source, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array: give array.filled(0), {EXPECTED}")
    try:
        array = np.asarray(source)
    except Exception as error:  # an object's own conversion may raise anything
        kind = printable(type(source).__name__)
        raise InputError(f"{name} is {kind}, which is no array: {EXPECTED}") from error
    return _pages(array, name, video)


def read_npy(data: bytes, name: str, video: TargetVideo) -> list[Page]:
    """Reads the content of a .npy file.

        pages = read_npy(data, "mask first.npy", TargetVideo((480, 854)))

    Args:
        data: the file's content.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: the file is damaged, or its array is not in the table above.
    """
    return _pages(_array(io.BytesIO(data), len(data), name, video), name, video)


def read_npz(data: bytes, name: str, video: TargetVideo) -> list[Page]:
    """Reads the content of a .npz file.

        pages = read_npz(data, "mask all.npz", TargetVideo((480, 854)))

    Args:
        data: the file's content.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: the file is damaged or has no arrays, or one is not in the table above.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if len(entries) < len(archive.infolist()):
                raise ValueError("two arrays have one name")
            if not entries or not all(e.filename.endswith(".npy") for e in entries.values()):
                raise InputError(
                    f"{name} is a ZIP archive that holds other files than arrays: "
                    "a .npz with an array for each frame is expected"
                )
            pages = []
            for key, info in entries.items():
                label = f"array {printable(key)} of {name}" if len(entries) > 1 else name
                with archive.open(info) as stream:
                    array = _array(stream, info.file_size, label, video)
                pages.append((key, _pages(array, label, video)))
    except InputError:
        raise
    except Exception as error:  # zipfile and zlib raise a dozen kinds of errors
        raise damaged(name, str(error) or type(error).__name__) from error
    if len(pages) == 1:
        return pages[0][1]
    for key, stack in pages:
        if len(stack) > 1:
            raise InputError(
                f"{name} holds {len(pages)} arrays and {printable(key)} is a stack: one array, or "
                "one mask for each frame is expected"
            )
    return [Page(page.raw, without_prefix(key)) for key, (page,) in pages]


def _array(stream: IO[bytes], available: int, name: str, video: TargetVideo) -> np.ndarray:
    """Reads the array of a .npy stream; its header is checked before memory is taken."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"version {version} of the format")
        shape, fortran, dtype = _HEADERS[version](stream)
        if dtype.hasobject:
            raise damaged(name, "it holds Python objects, which are never opened")
        _form(shape, dtype, name, video)
        count = math.prod(shape)
        if count * dtype.itemsize > min(available, LARGEST_FILE):
            raise ValueError(f"it claims {count} numbers, which it does not hold")
        content = stream.read(count * dtype.itemsize)
        array = np.frombuffer(content, dtype, count)
    except InputError:
        raise
    except Exception as error:  # a header may contain any text
        raise damaged(name, str(error) or type(error).__name__) from error
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _form(shape: tuple[int, ...], dtype: np.dtype, name: str, video: TargetVideo) -> str:
    """Returns 'numbers' for [H, W] or 'colours' for [H, W, C]; with ' stack' for [T, ...]."""
    bad = InputError(f"{name} is {dtype} {list(shape)}: {EXPECTED}")
    if dtype.kind == "f":
        raise InputError(f"{bad}; if its values are whole ids, store array.astype('uint16')")
    if dtype.kind not in "bui" or min(shape, default=0) < 1:
        raise bad
    is_colours = len(shape) > 2 and shape[-1] in (3, 4) and dtype == np.uint8
    frame = shape[-3:-1] if is_colours else shape[-2:]
    if is_colours and len(shape) == 3 and video.size is not None and frame != video.size:
        is_colours = shape[1:] != video.size
        frame = shape[1:] if not is_colours else frame
    deep = len(shape) - (3 if is_colours else 2)
    if deep not in (0, 1) or (deep == 1 and video.size is not None and frame != video.size):
        raise bad
    check_size((frame[0], frame[1]), video.size, name)
    return ("colours" if is_colours else "numbers") + (" stack" if deep else "")


def _pages(array: np.ndarray, name: str, video: TargetVideo) -> list[Page]:
    form, what = _form(array.shape, array.dtype, name, video), f"an array of {array.dtype}"
    convert = _raw_colours if form.startswith("colours") else raw_numbers
    if not form.endswith("stack"):
        return [Page(convert(array, name, what), None)]
    if video.count is not None and len(array) > video.count:
        raise InputError(
            f"{name} is a stack of {len(array)} masks, the video has {video.count} frame(s): "
            "at most a mask for each frame is expected"
        )
    pages = [
        Page(convert(page, f"page {index} of {name}", what), index)
        for index, page in enumerate(array)
    ]
    if len(pages) > 1 and _is_one_each([page.raw for page in pages]):
        pages[0] = _checked(pages[0], len(pages), name, video)
    return pages


def _raw_colours(array: np.ndarray, name: str, what: str) -> Raw:
    values, doubts = pack(array, name)
    return Raw(name, what + " colours", "colours", values, doubts=doubts)


def _is_one_each(raws: list[Raw]) -> bool:
    """Returns whether a stack may just as well hold a mask for each object of one frame."""
    ids = [set(np.unique(raw.values).tolist()) - {0} for raw in raws]
    every = set().union(*ids)
    apart = all(len(page) == 1 for page in ids) and len(every) == len(ids)
    return every in SINGLE or apart


def _checked(first: Page, count: int, name: str, video: TargetVideo) -> Page:
    """Adds a doubt to the first page of a stack of single objects that is as long as the video."""
    if count == video.count:
        doubt = f"{name} is read as a mask of each of the {count} frames, not of {count} objects"
        return first._replace(raw=first.raw._replace(doubts=(*first.raw.doubts, doubt)))
    length = "" if video.count is None else f", the video has {video.count} frames"
    raise InputError(
        f"{name} is a stack of {count} masks of one object each{length}: they may be frames or "
        "objects; give frames as {frame: mask} or one file each, and objects as one mask, "
        "(stack > 0) * ids[:, None, None] with its maximum over the first axis"
    )
