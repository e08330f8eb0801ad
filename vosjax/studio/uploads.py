"""Videos that are sent: written below a limit, unpacked, checked; nothing stays of a broken one."""

import contextlib
import os
import pathlib
import re
import shutil
import stat
import zipfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

from vosjax.errors import DiskFull, InputError
from vosjax.io.names import printable
from vosjax.io.refusals import disk_full, writing
from vosjax.io.video.endings import FILMS, READABLE

MOVING = (".gif", ".webp", ".png", ".apng", ".avif", ".tif", ".tiff")  # images that can be videos
FRAMES = "frames"  # folder of the frames of a zip
LONGEST = 120  # characters of a name that is kept
MOST_FILES = 100_000  # in a zip


class TooLarge(InputError):
    """More was sent than the server takes."""


def safe_name(name: str) -> str:
    """Returns the last part of a name that was sent, without anything that is special in paths.

        safe_name("../../etc/My cat.mp4")       # 'My_cat.mp4'

    Raises:
        InputError: nothing is left of it.
    """
    last = re.split(r"[/\\]", name)[-1].strip()
    stem, ending = os.path.splitext(last)
    stem = re.sub(r"[^\w-]+", "_", stem).strip("_.")[:LONGEST]
    if not stem:
        raise InputError(f"{printable(name)[:LONGEST]!r} is no name of a file: give it another one")
    return stem + re.sub(r"[^.\w]", "", ending.lower())[:10]


def check_ending(name: str) -> None:
    """Raises InputError unless a name has the ending of a video, of moving images, or of a zip.

    check_ending("cat.mp4")
    """
    ending = pathlib.PurePath(name).suffix.lower()
    if ending not in (*FILMS, *MOVING, ".zip"):
        raise InputError(
            f"{printable(name)[:LONGEST]!r} has not the ending of a video (mp4, mov, avi, mkv, "
            "webm and the like), of a moving image (gif, webp), or of a zip of frames"
        )


async def received(body: AsyncIterator[bytes], path: pathlib.Path, *, most: int) -> int:
    """Writes what is sent to a file; returns the number of bytes.

        size = await received(request.stream(), staging / "cat.mp4", most=1 << 30)

    Args:
        body: pieces of bytes.
        path: the file, whose folder is there.
        most: largest number of bytes.

    Raises:
        TooLarge: more bytes are sent.
        InputError: nothing is sent.
        DiskFull: the disk is full.
    """
    size = 0
    with disk_full(path), writing(path), open(path, "wb") as file:
        async for piece in body:
            size += len(piece)
            if size > most:
                raise TooLarge(f"the file is larger than {most >> 20} MB, the limit of this server")
            file.write(piece)
    if not size:
        raise InputError("nothing was sent: the body is empty")
    return size


def unpacked(path: pathlib.Path, folder: pathlib.Path, *, most: int) -> pathlib.Path:
    """Unpacks the images of a zip into a folder of frames, and returns it.

        frames = unpacked(staging / "cat.zip", staging / "media", most=1 << 30)

    Only images are taken, each under its last name alone, so that no path in the zip leads
    anywhere.

    Args:
        path: the zip.
        folder: the folder below which that of the frames is made.
        most: largest number of bytes of all images together.

    Raises:
        TooLarge: they are larger.
        InputError: it is no zip, is damaged or encrypted, holds no image, two of one name, or
            images of several folders.
    """
    target = folder / FRAMES
    target.mkdir(parents=True)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _images(archive)
            _check(entries, most)
            left = most
            for entry in entries:
                file = target / safe_name(entry.filename)
                with writing(file), archive.open(entry) as source, open(file, "xb") as copy:
                    left -= _copied(source, copy, left, most)
    except FileExistsError as error:
        raise InputError("the zip holds two images of one name: rename one") from error
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, DiskFull):
            raise
        raise InputError(f"the zip cannot be unpacked ({printable(error)[:120]})") from error
    except Exception as error:  # of a decompressor that meets damaged data
        if isinstance(error, InputError):
            raise
        raise InputError(f"the zip is damaged ({printable(error)[:120]})") from error
    return target


def _images(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = []
    for entry in archive.infolist():
        name = pathlib.PurePosixPath(entry.filename.replace("\\", "/"))
        hidden = any(part.startswith((".", "__MACOSX")) for part in name.parts if part != "..")
        is_link = stat.S_ISLNK(entry.external_attr >> 16)
        if not entry.is_dir() and not hidden and not is_link and name.suffix.lower() in READABLE:
            entries.append(entry)
    return entries


def _check(entries: list[zipfile.ZipInfo], most: int) -> None:
    if not entries:
        raise InputError("the zip holds no image: frames as PNG or JPEG are expected")
    if len(entries) > MOST_FILES:
        raise TooLarge(f"the zip holds {len(entries)} images: at most {MOST_FILES} are taken")
    if sum(entry.file_size for entry in entries) > most:
        raise TooLarge(f"the images of the zip are larger than {most >> 20} MB together")
    folders = {str(pathlib.PurePosixPath(entry.filename).parent) for entry in entries}
    if len(folders) > 1:
        raise InputError(
            "the zip holds images in several folders: put the frames of one video into one"
        )


def _copied(source: Any, copy: Any, left: int, most: int) -> int:
    """Copies a file of a zip; what the zip says of its size is not believed."""
    size = 0
    while piece := source.read(1 << 20):
        size += len(piece)
        if size > left:
            raise TooLarge(f"the images of the zip are larger than {most >> 20} MB together")
        copy.write(piece)
    return size


@contextlib.contextmanager
def staging(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a folder for something that is sent; unless it is moved away, it is removed again.

    with staging(project / "incoming" / "a1b2") as folder:
        ...
    """
    with writing(folder):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
