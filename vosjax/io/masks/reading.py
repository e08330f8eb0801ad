"""Reads the masks of a video: each file by its kind, then all of them together into ids."""

import os
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.content import load_file
from vosjax.io.masks import meaning, notes, sources
from vosjax.io.masks.annotations import read_annotations
from vosjax.io.masks.archives import read_archive
from vosjax.io.masks.arrays import read_array, read_npy
from vosjax.io.masks.cvat import read_xml
from vosjax.io.masks.frames import Frames, assign
from vosjax.io.masks.images import read_image, read_image_file
from vosjax.io.masks.raw import Page, Raw, TargetVideo
from vosjax.io.names import printable
from vosjax.io.pictures import check_size

# The first bytes of a file, after white space; everything else is a picture.
_READERS = {
    b"\x93NUMPY": read_npy,
    b"PK": read_archive,
    b"{": read_annotations,
    b"[": read_annotations,
    b"<": read_xml,
}
REMEDY = "mark at least one pixel by a non-zero id or a colour"


class Mask(NamedTuple):
    """A mask.

    labels   uint8 or uint16 [H, W] of object ids
    palette  uint8 [256, 3], the colours of the ids; None without colours
    """

    labels: np.ndarray
    palette: np.ndarray | None


class Masks(NamedTuple):
    """The masks of a video.

    labels   {frame index: uint8 or uint16 [H, W] of ids}, in the order of frames
    palette  uint8 [256, 3], the colours of the ids; None without colours
    notes    what was read, in sentences for a person; the first one counts the objects
    doubts   what could have been read otherwise, and how it was read, in sentences
    names    {frame index: what messages call its mask}
    objects  {id: its label} of objects from annotation files
    """

    labels: dict[int, np.ndarray]
    palette: np.ndarray | None
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    names: dict[int, str]
    objects: Mapping[int, str] = MappingProxyType({})


def read_mask(source: Any, *, size: tuple[int, int] | None = None) -> Mask:
    """Reads one mask.

        labels, palette = read_mask("first.png")

    Args:
        source: a file of any kind in the table of `vosjax.io.masks` or its content as bytes, an
            array [H, W] of bool or integers, an array uint8 [H, W, 3 or 4] of colours, or a Pillow
            image.
        size: (H, W) that the mask must have; None for any.

    Returns:
        A `Mask` with arrays of its own.

    Raises:
        InputError: the mask is missing, damaged, of another size, smoothed (anti-aliased), in a
            lossy format, or without an object; the file has several masks; the array has another
            type or shape.
    """
    is_path = isinstance(source, (str, os.PathLike))
    name = f"mask {printable(source)}" if is_path else "the mask"
    with warnings.catch_warnings(action="ignore"):  # what decoders say beside their results
        pages = _pages(os.path.expanduser(source) if is_path else source, name, TargetVideo(size))
        is_stack = isinstance(pages[0].frame, int) and pages[0].raw.kind != "objects"
        if len(pages) > 1 or is_stack:
            raise InputError(f"{name} holds several masks, {len(pages)}: one [H, W] is expected")
        ids = meaning.values_to_ids([pages[0].raw])
    if not ids.labels[0].any():
        raise InputError(f"{name} holds no object: every pixel is background, {REMEDY}")
    return Mask(ids.labels[0], ids.palette)


def read_masks(
    spec: Any,
    names: tuple[str, ...] | None = None,
    *,
    size: tuple[int, int] | None = None,
    count: int | None = None,
    first_only: bool = False,
    frame: int = 0,
) -> Masks:
    """Reads all masks of a video.

        masks = read_masks(["0=first.png", "3=later.png"])
        print(*masks.notes, sep="\\n")

    Args:
        spec: one of
            - a mask as for `read_mask`: it is for frame 0;
            - a file of several masks: an animated picture, a TIFF of several pages or a stack
              [T, H, W] has one for each of the frames 0..T-1, a .npz and a COCO file name them;
            - a folder: every mask in it is for the frame whose name is the file's stem or, if
              frames have no names, whose number it is;
            - 'FRAME=FILE', or a list of these: FRAME is a frame's name, or else its 0-based index;
            - a dict {frame index or name: mask as for `read_mask`}.
        names: the names of the frames (`Video.names`), if they have some.
        size: (H, W) of the video, which masks must have; None for any.
        count: the number of frames, if it is known for certain.
        first_only: whether only the earliest mask is taken. A DAVIS folder has the true masks of
            all frames; without this flag all of them are given to the network.
        frame: index of the frame of a single mask that does not tell its own.

    Returns:
        `Masks`, in the order of the frames. Empty masks say nothing and are left out.

    Raises:
        InputError: as for `read_mask`; a frame is not in the video; a file matches no frame; there
            are two masks for a frame, or no object in any mask; the masks do not go together.
    """
    frames = Frames(TargetVideo(size, len(names) if names is not None else count, names))
    doubts: list[str] = []
    with warnings.catch_warnings(action="ignore"):  # what decoders say beside their results
        raws = _raws(spec, frames, doubts, default=frame)
        if first_only:
            raws = {min(raws): raws[min(raws)]}
        first = next(iter(raws.values()))
        for raw in raws.values():
            check_size(raw.values.shape, size if size is not None else first.values.shape, raw.name)
        ids = meaning.values_to_ids(list(raws.values()))
    labels = {frame: page for frame, page in zip(raws, ids.labels) if page.any()}
    if not labels:
        raise InputError(
            f"{first.name}: no object in {len(raws)} mask(s), every pixel is background: {REMEDY}"
        )
    sentences = [notes.reading(labels, raws, frames), *ids.notes]
    sentences += notes.empty([frame for frame in raws if frame not in labels], frames)
    return Masks(
        labels,
        ids.palette,
        tuple(sentences),
        tuple(doubts + ids.doubts + notes.suspicions(labels, frames)),
        {frame: raws[frame].name for frame in labels},
        ids.objects,
    )


def _raws(spec: Any, frames: Frames, doubts: list[str], *, default: int) -> dict[int, Raw]:
    """Returns {frame index: raw mask}, in the order of frames."""
    raws: dict[int, Raw] = {}
    for entry in sources.entries(spec, frames, doubts):
        entry = entry._replace(default=default)
        pages = _pages(entry.source, entry.name, frames.video)
        for frame, raw in assign(entry, pages, frames, doubts):
            if frame in raws:
                raise InputError(
                    f"two masks for frame {frames.label(frame)}, one is expected: "
                    f"{raws[frame].name} and {raw.name}"
                )
            raws[frame] = raw
    return dict(sorted(raws.items()))


def _pages(source: Any, name: str, video: TargetVideo) -> list[Page]:
    """Reads the masks of one source."""
    if isinstance(source, Image.Image):
        return read_image(source, name, video)
    if isinstance(source, (str, os.PathLike)):
        return read_content(load_file(source, name=name), name, video)
    if isinstance(source, bytes):
        return read_content(source, name, video)
    return read_array(source, name, video)


def read_content(data: bytes, name: str, video: TargetVideo) -> list[Page]:
    """Reads the masks of a file's content, of any kind, as they are stored.

        pages = read_content(load_file("first.png", name="mask"), "mask", TargetVideo((48, 64)))

    Args:
        data: the content.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: as for `read_masks`.
    """
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    readers = (read for magic, read in _READERS.items() if start.startswith(magic))
    return next(readers, read_image_file)(data, name, video)
