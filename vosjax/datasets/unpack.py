"""Writes a source of videos back to a plain folder, for other tools and to look at.

    JPEGImages/VIDEO/FRAME.jpg    Annotations/VIDEO/FRAME.png    meta.json if frames are listed

Files hold the stored bytes unchanged, so that preparing and unpacking a folder gives back the
same files.
"""

import os
import pathlib
from collections.abc import Callable, Collection
from typing import Any

from vosjax.datasets.protocol import Header, Source
from vosjax.io.files import write_bytes, write_json

_TOGETHER = 64  # frames read at a time


def unpack(
    source: Source,
    folder: str | os.PathLike[str],
    *,
    names: Collection[str] | None = None,
    progress: Callable[[str], Any] = lambda name: None,
) -> list[str]:
    """Writes the videos of a source to a folder in YouTube-VOS layout.

        unpack(catalog.open_videos("datasets/youtube_vos", split="valid"), "valid")

    It does not wait for the disk; `files.sync_all` does so for all files at once.

    Args:
        source: the source, see `datasets.protocol`.
        folder: the folder; a missing one is created, and files of the same names are replaced.
        names: names of the videos to be written; None writes all.
        progress: is called with a video's name when it has been written.

    Returns:
        The names of the videos that were written.

    Raises:
        DiskFull: the disk is full.
        InputError: a file cannot be read or written.
    """
    root, written, meta = pathlib.Path(folder), [], {}
    for video, name in enumerate(source.names):
        if names is not None and name not in names:
            continue
        header = source.header(video)
        stems = _write_video(source, video, root)
        if header.listed and len(header.ids):
            meta[name] = _meta_entry(header, stems)
        written.append(name)
        progress(name)
    if meta:
        write_json(root / "meta.json", {"videos": meta})
    return written


def _write_video(source: Source, video: int, root: pathlib.Path) -> list[str]:
    """Writes a video's pictures and masks, and returns the names of its frames."""
    name, length, stems = source.names[video], source.header(video).length, []
    for start in range(0, length, _TOGETHER):
        for frame in source.read(video, range(start, min(start + _TOGETHER, length))):
            stems.append(frame.name)
            ending = ".png" if frame.image.startswith(b"\x89PNG") else ".jpg"
            picture = root / "JPEGImages" / name / f"{frame.name}{ending}"
            write_bytes(picture, frame.image, durable=False)
            if frame.mask:
                mask = root / "Annotations" / name / f"{frame.name}.png"
                write_bytes(mask, frame.mask, durable=False)
    return stems


def _meta_entry(header: Header, stems: list[str]) -> dict[str, Any]:
    """Returns a video's entry in meta.json, in which objects are listed from where they appear."""
    starts = (header.areas > 0).argmax(0)
    return {
        "objects": {
            str(key): {
                "category": category,
                "frames": [stems[t] for t in header.listed if t >= start],
            }
            for key, category, start in zip(header.ids, header.categories, starts)
        }
    }
