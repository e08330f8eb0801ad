"""Masks out of the studio, in the formats of `vosjax.exports`."""

import pathlib
import re
import threading
import zipfile
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.exports import FORMATS, Object, write
from vosjax.io.names import printable
from vosjax.studio.clip import Clip
from vosjax.studio.maps import Labels, Maps
from vosjax.studio.uploads import safe_name

MEDIA_TYPES = {".json": "application/json", ".webm": "video/webm", ".mp4": "video/mp4"}
ARCHIVE = "application/zip"


class Abandoned(InputError):
    """Nobody waits for an export any more."""


class _Stored(Mapping[int, Labels]):
    """{frame: its label map with some objects}, each read when it is asked for."""

    def __init__(self, maps: Maps, names: Mapping[int, str], ids: Collection[int]) -> None:
        self._maps, self._names = maps, names
        self._table = np.zeros(256, np.uint8)
        self._table[list(ids)] = list(ids)

    def __getitem__(self, frame: int) -> Labels:
        return self._table[self._maps.get(self._names[frame])]

    def __contains__(self, frame: object) -> bool:
        return frame in self._names

    def __iter__(self) -> Iterator[int]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def export(
    clip: Clip,
    format: str,
    folder: pathlib.Path,
    *,
    ids: Collection[int] | None = None,
    abandoned: threading.Event | None = None,
) -> pathlib.Path:
    """Writes the masks of a video in a format, as one file: a folder becomes a zip.

        path = export(clip, "coco", pathlib.Path("incoming/a1"))

    Args:
        clip: the video.
        format: a name of `vosjax.exports.FORMATS`.
        folder: an empty folder.
        ids: the objects; None for all.
        abandoned: ends the export early once it is set.

    Returns:
        The file.

    Raises:
        Abandoned: it was ended early.
        InputError: there is no such format or object, or there are no masks.
    """
    if format not in FORMATS:
        raise InputError(
            f"there is no format {printable(repr(format))[:40]}: {', '.join(FORMATS)} are expected"
        )
    with clip.lock:
        entries = dict(clip.history.tables["objects"])
        labelled = dict(clip.history.tables["labelled"])
        scores = {frame: dict(rows) for frame, rows in clip.history.tables["scores"].items()}
    ids = sorted(map(int, entries)) if ids is None else sorted(ids)
    unknown = [id for id in ids if str(id) not in entries]
    if unknown or not ids:
        raise InputError(
            f"there is no object {unknown[0] if unknown else 'to be exported'}; there are: "
            f"{sorted(map(int, entries))}"
        )
    frames = {int(frame): name for frame, name in labelled.items()}
    masks = _Stored(clip.maps, dict(sorted(frames.items())), ids)

    def progress(index: int) -> None:
        if abandoned is not None and abandoned.is_set():
            raise Abandoned("nobody waits for this export any more")

    name = re.sub(r"[^A-Za-z0-9_-]", "_", pathlib.PurePath(safe_name(clip.name)).stem) or "video"
    target = folder / FORMATS[format].default_name(name)
    described = [_object(id, entries[str(id)], scores) for id in ids]
    made = write(
        format,
        target,
        clip.frames.access.video,
        masks,
        objects=described,
        name=name,
        progress=progress,
    )
    return made if made.is_file() else _zipped(made, progress)


def media_type(path: pathlib.Path) -> str:
    """Returns the media type of an export.

    media_type(pathlib.Path("dog_coco.json"))       # 'application/json'
    """
    return MEDIA_TYPES.get(path.suffix, ARCHIVE)


def _object(id: int, entry: dict[str, Any], scores: dict[str, dict[str, Any]]) -> Object:
    rows = [row for frame in scores.values() if (row := frame.get(str(id))) and row[1]]
    colour = entry["colour"]
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    score = sum(row[0] for row in rows) / len(rows) if rows else 0.0
    return Object(id, entry["name"], (red, green, blue), score)


def _zipped(folder: pathlib.Path, progress: Any) -> pathlib.Path:
    """Returns a zip of a folder; its files are compressed already."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for index, file in enumerate(sorted(folder.rglob("*"))):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
                progress(index)
    return path
