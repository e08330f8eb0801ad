"""Reads a folder of images as a video."""

import os
import pathlib
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.names import in_order, printable, some
from vosjax.io.video.depth import Scale, find_scale, is_deep, read_levels, scale_notes, spread
from vosjax.io.video.endings import FILMS, READABLE, UNREADABLE
from vosjax.io.video.images import check_pixels, opened, read_page
from vosjax.io.video.numbering import numbering_notes
from vosjax.io.video.types import FPS, Findings, Frame, Video, check_size, checked

# Files that file managers and version control leave in a folder, and nobody takes for frames.
LITTER = {".ds_store", "thumbs.db", "desktop.ini", ".directory", ".gitignore", ".gitkeep"}


class _Listing(NamedTuple):
    """The content of a folder: images that are read, other images, and all other files."""

    images: list[pathlib.Path]
    unreadable: list[pathlib.Path]
    others: list[str]
    hidden: list[str]
    folders: list[str]


def open_folder(path: pathlib.Path) -> Video:
    """Opens the images of a folder as frames, in the natural order of their stems.

        video = open_folder(pathlib.Path("frames"))

    Raises:
        InputError: the folder cannot be read, has no image, has images that cannot be frames (HEIC,
            links to missing files), or two images with the same stem.
    """
    name = f"folder {printable(path)}"
    listing = _listed(path, name)
    if not listing.images and not listing.unreadable:
        raise InputError(f"{name} holds no image{_hint(listing)}: {_expected()}")
    files = in_order(listing.images, name=_stem)
    stems = tuple(map(_stem, files))
    _check_readable(listing.unreadable, set(stems), name)
    _check_unique(files, name)
    findings = Findings(_left_out(listing, name) + numbering_notes(stems, name))
    scale = _scale(files, findings, name)

    def read(index: int, size: tuple[int, int] | None = None) -> np.ndarray:
        file = files[index]
        try:
            with opened(file, printable(file)) as image:
                stored = image.size[::-1]
                check_pixels(stored, f"image {printable(file)}")
                fits = size in (None, stored, stored[::-1])  # as it is, or turned
                if fits:
                    frame, above = read_page(image, file, scale)
        except InputError as error:
            raise InputError(f"frame {index}: {error}") from error
        if not fits:
            check_size(stored, size, index, printable(file))
        if above:
            findings.clipped.add(index)
        return frame

    first = read(0)
    size = first.shape[:2]

    def stream(start: int = 0) -> Generator[Frame]:
        for index in range(start, len(files)):
            image = first.copy() if index == 0 else read(index, size)
            yield Frame(checked(image, size, index, printable(files[index])), index / FPS)

    return Video(
        name,
        size,
        len(files),
        FPS,
        stems,
        stream,
        findings=findings,
        files=tuple(files),
        direct=True,
    )


def _expected() -> str:
    return f"frames are expected as {', '.join(ending[1:] for ending in READABLE)}"


def _hint(listing: _Listing) -> str:
    films = [n for n in listing.others if pathlib.PurePath(n).suffix.lower() in FILMS]
    if films:
        return f", but {some(films)}; name the video file itself"
    if listing.folders:
        return f", but folders ({some(listing.folders)}); name one of those"
    return ""


def _listed(path: pathlib.Path, name: str) -> _Listing:
    listing = _Listing([], [], [], [], [])
    try:
        with os.scandir(path) as entries:
            for entry in in_order(entries, name=lambda entry: entry.name):
                _sort_in(entry, listing, name)
    except PermissionError as error:
        raise InputError(
            f"{name} may not be read (permission denied): change its permissions"
        ) from error
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror})") from error
    return listing


def _sort_in(entry: os.DirEntry, listing: _Listing, name: str) -> None:
    file = pathlib.Path(entry.path)
    ending = file.suffix.lower()
    if entry.name.lower() in LITTER:
        return
    if entry.name.startswith("."):
        listing.hidden.append(entry.name)
    elif file.is_dir():
        listing.folders.append(entry.name)
    elif ending in READABLE or ending in UNREADABLE:
        if not file.exists():
            raise InputError(
                f"{name}: {printable(entry.name)} is a link to {printable(os.readlink(file))}, "
                "which is not there: restore it, or remove the link"
            )
        if not file.is_file():
            raise InputError(
                f"{name}: {printable(entry.name)} is no file, but a pipe or a device: replace or "
                "remove it"
            )
        (listing.images if ending in READABLE else listing.unreadable).append(file)
    elif _is_bare_image(file):
        listing.images.append(file)
    else:
        listing.others.append(entry.name)


def _is_bare_image(file: pathlib.Path) -> bool:
    """Returns whether a file without an ending (`0001`, or `shot.0001`) is an image by content."""
    if file.suffix and not file.suffix[1:].isdecimal() or not file.is_file():
        return False
    try:
        with opened(file, file.name):
            return True
    except InputError:
        return False


def _stem(file: pathlib.Path) -> str:
    """Returns the name of a frame: the file's name without the ending that tells its kind."""
    return file.stem if file.suffix.lower() in READABLE else file.name


def _check_readable(files: list[pathlib.Path], stems: set[str], name: str) -> None:
    """Refuses images that are not read, unless readable ones stand beside them (raw and JPEG)."""
    alone = [file for file in files if file.stem not in stems]
    if alone:
        kinds = " and ".join(sorted({UNREADABLE[file.suffix.lower()] for file in alone}))
        raise InputError(
            f"{name} holds {len(alone)} image(s) of a kind that is not read ({kinds}: "
            f"{some(file.name for file in alone)}): convert them to PNG or JPEG"
        )


def _check_unique(files: list[pathlib.Path], name: str) -> None:
    seen: dict[str, str] = {}
    for file in files:
        stem = _stem(file)
        if stem in seen:
            both = printable(f"{seen[stem]} and {file.name}")
            raise InputError(
                f"{name} holds two images named {printable(stem)} ({both}): keep the masks of "
                "a video in another folder than its frames"
            )
        seen[stem] = file.name


def _left_out(listing: _Listing, name: str) -> list[str]:
    unread = [file.name for file in listing.unreadable]
    lines = [
        (unread, "image(s) beside readable ones of the same name"),
        (listing.others, "file(s) without the ending of an image"),
        (listing.hidden, "hidden file(s)"),
        (listing.folders, "folder(s)"),
    ]
    return [
        f"{name}: {len(files)} {what} left out: {some(files)}" for files, what in lines if files
    ]


def _scale(files: list[pathlib.Path], findings: Findings, name: str) -> Scale:
    """Finds the scale of the deep images; damaged ones are reported when they are read."""
    deep, paged = [], []
    for file in files:
        try:
            with opened(file, printable(file)) as image:
                if is_deep(image):
                    deep.append(file)
                # Pages of other kinds (previews in a JPEG) are not frames.
                if image.format in ("TIFF", "GIF", "PNG", "WEBP") and _has_pages(image):
                    paged.append(file.name)
        except InputError as error:
            if isinstance(error.__cause__, PermissionError):
                raise
    if paged:
        findings.opening.append(
            f"{name}: only the first picture is taken of {len(paged)} image(s) that hold several: "
            f"{some(paged)}"
        )
    if not deep:
        return Scale()

    sample = (_levels(deep[index]) for index in spread(len(deep)))
    scale = find_scale((levels for levels in sample if levels is not None), name)
    findings.opening.extend(scale_notes(scale, len(deep), name))
    return scale


def _levels(file: pathlib.Path) -> np.ndarray | None:
    """Returns the levels of a deep image; None if it is damaged, which is reported later."""
    try:
        with opened(file, printable(file)) as image:
            return read_levels(image, file)
    except InputError:
        return None


def _has_pages(image: Any) -> bool:
    return bool(getattr(image, "is_animated", False))
