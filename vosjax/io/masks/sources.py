"""Finds the files and arrays that a user names for masks: one, a folder, pairs, or a dict."""

import os
import pathlib
from typing import Any

from vosjax.errors import InputError
from vosjax.io.masks.frames import Entry, Frames
from vosjax.io.names import in_order, printable, some

PICTURES = (
    ".png",
    ".apng",
    ".bmp",
    ".webp",
    ".tif",
    ".tiff",
    ".gif",
    ".pgm",
    ".pbm",
    ".ppm",
    ".qoi",
)
ARRAYS = (".npy", ".npz")
ANNOTATIONS = (".json",)
DOCUMENTS = (
    ".xml",
)  # which lie beside the masks of many datasets, and are read if nothing else is
REFUSED = (
    ".jpg",
    ".jpeg",
    ".jp2",
    ".j2k",
    ".avif",
    ".heic",
    ".heif",
    ".jxl",
    ".psd",
    ".xcf",
    ".svg",
)
SHOWN = 3  # at most so many names are listed in a sentence


def entries(spec: Any, frames: Frames, doubts: list[str]) -> list[Entry]:
    """Lists what `read_masks` was given: an entry for each file or array, in the given order.

        masks = entries(["0=first.png", "25=later.png"], frames, doubts)

    Args:
        spec: as `read_masks` takes it.
        frames: the frames of the video.
        doubts: gets sentences on what could also be meant otherwise.

    Raises:
        InputError: nothing was given, a mask has no frame, or its frame is not in the video.
    """
    if isinstance(spec, dict):
        listed = [
            Entry(
                source,
                _name(source, f"the mask of frame {printable(frame)}"),
                frames.find(frame, f"frame {printable(frame)}", doubts),
            )
            for frame, source in spec.items()
        ]
    elif isinstance(spec, (list, tuple)) and len(spec) != 1:
        listed = [_pair(item, frames, doubts) for item in spec]
    else:
        listed = _one(spec[0] if isinstance(spec, (list, tuple)) else spec, frames, doubts)
    if not listed:
        raise InputError("no mask was given: at least one is needed")
    return listed


def _one(spec: Any, frames: Frames, doubts: list[str]) -> list[Entry]:
    if not isinstance(spec, (str, os.PathLike)):
        return [Entry(spec, _name(spec, "the mask"))]
    if not str(spec):
        raise InputError("masks were given as an empty name: name a mask file or a folder of masks")
    path = os.path.expanduser(spec)
    if os.path.isdir(path):
        return _folder(pathlib.Path(path), frames, doubts)
    if "=" in str(spec) and not os.path.lexists(path):
        return [_pair(spec, frames, doubts)]
    return [Entry(path, _name(spec, ""))]


def _pair(item: Any, frames: Frames, doubts: list[str]) -> Entry:
    """Splits FRAME=FILE; if names of frames contain '=', at the name that is a frame's."""
    text = os.fspath(item) if isinstance(item, (str, os.PathLike)) else ""
    parts = text.split("=")
    splits = [("=".join(parts[:i]), "=".join(parts[i:])) for i in range(1, len(parts))]
    splits = [(frame, file) for frame, file in splits if frame and file]
    if not splits:
        shown = printable(text) if text else type(item).__name__
        raise InputError(
            f"several masks are given as FRAME=FILE, got {shown}: write for example 0=first.png "
            "25=later.png"
        )
    frame, file = next((s for s in splits if frames.named(s[0]) is not None), splits[0])
    index = frames.find(frame, printable(text), doubts)
    return Entry(os.path.expanduser(file), _name(file, ""), index)


def _folder(path: pathlib.Path, frames: Frames, doubts: list[str]) -> list[Entry]:
    """Lists a mask for each frame; beside annotation files, pictures are taken for the frames."""
    shown = printable(path)
    try:
        every = in_order(path.iterdir(), name=lambda file: file.name)
    except OSError as error:
        raise InputError(f"folder {shown} cannot be listed ({error.strerror}): check it") from error
    every = [file for file in every if not file.name.startswith(".")]
    masks = [file for file in every if file.suffix.lower() in ANNOTATIONS]
    masks = masks or [f for f in every if f.suffix.lower() in PICTURES + ARRAYS + REFUSED]
    masks = masks or [f for f in every if f.suffix.lower() in DOCUMENTS]
    if not masks:
        inside = " but folders, name one of them" if any(map(os.path.isdir, every)) else ""
        endings = ", ".join(ending[1:] for ending in PICTURES + ARRAYS + ANNOTATIONS + DOCUMENTS)
        raise InputError(f"folder {shown} holds no mask{inside}: {endings} files are expected")
    left_out = [file.name for file in every if file not in set(masks)]
    if left_out:
        named = some(left_out, SHOWN)
        doubts.append(f"in folder {shown} these are no masks and are left out: {named}")
    return [_file(file, frames, alone=len(masks) == 1) for file in masks]


def _file(file: pathlib.Path, frames: Frames, *, alone: bool) -> Entry:
    name = _name(file, "")
    if file.suffix.lower() not in ANNOTATIONS + DOCUMENTS:
        return Entry(file, name, frames.find_file(file.stem, name))
    return Entry(file, name, stem=None if alone else file.stem)


def _name(source: Any, otherwise: str) -> str:
    is_path = isinstance(source, (str, os.PathLike))
    return f"mask {printable(os.fspath(source))}" if is_path else otherwise
