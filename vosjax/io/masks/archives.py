"""Reads ZIP files of masks, as annotation tools export them, and .npz files.

| content | result |
|---|---|
| `.npy` files alone (.npz) | an array for each frame |
| annotation files (`.json`, `.xml`), with or without pictures | the masks that they hold |
| pictures in one folder, or in `SegmentationObject` | a mask for the frame of each one's name |
| anything else | refused |

Nothing is unpacked to the disk.
"""

import io
import pathlib
import zipfile

from vosjax.errors import InputError
from vosjax.io.content import LARGEST_FILE, damaged
from vosjax.io.masks.annotations import read_annotations
from vosjax.io.masks.arrays import read_npz
from vosjax.io.masks.cvat import read_xml
from vosjax.io.masks.frames import without_prefix
from vosjax.io.masks.images import read_image_file
from vosjax.io.masks.raw import Page, TargetVideo
from vosjax.io.masks.sources import PICTURES
from vosjax.io.names import in_order, number, printable, some

ANNOTATIONS = {".json": read_annotations, ".xml": read_xml}
INSTANCES = "SegmentationObject"  # beside the classes, in "Segmentation mask 1.1"


def read_archive(data: bytes, name: str, video: TargetVideo) -> list[Page]:
    """Reads the masks of a ZIP file.

        pages = read_archive(data, "mask export.zip", TargetVideo((480, 854)))

    Args:
        data: the file's content.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: the file is damaged, holds more than 2 GiB, or none of what is read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _files(archive)
            if any(file.suffix == ".npy" for file in files) or not files:
                return read_npz(data, name, video)
            chosen = _chosen(files, name)
            if sum(files[file].file_size for file in chosen) > LARGEST_FILE:
                raise InputError(f"{name} holds more than {LARGEST_FILE} bytes: give smaller parts")
            return [
                page
                for file in chosen
                for page in _pages(
                    file, archive.read(files[file]), f"{printable(file)} of {name}", video
                )
            ]
    except InputError:
        raise
    except Exception as error:  # zipfile and zlib raise a dozen kinds of errors
        raise damaged(name, str(error) or type(error).__name__) from error


def _files(archive: zipfile.ZipFile) -> dict[pathlib.PurePosixPath, zipfile.ZipInfo]:
    """{path: entry} of the files that are not hidden, nor a system's own."""
    entries = {pathlib.PurePosixPath(info.filename): info for info in archive.infolist()}
    return {
        path: info
        for path, info in entries.items()
        if not info.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in path.parts)
    }


def _chosen(
    files: dict[pathlib.PurePosixPath, zipfile.ZipInfo], name: str
) -> list[pathlib.PurePosixPath]:
    """Returns the files that hold masks."""
    ordered = in_order(files)
    annotations = [file for file in ordered if file.suffix.lower() in ANNOTATIONS]
    if annotations:
        return annotations
    pictures = [file for file in ordered if file.suffix.lower() in PICTURES]
    pictures = [file for file in pictures if file.parent.name == INSTANCES] or pictures
    folders = list(dict.fromkeys(str(file.parent) for file in pictures))
    if len(folders) > 1:
        raise InputError(
            f"{name} holds pictures in {len(folders)} folders ({some(folders)}): one folder, with "
            "a mask for each frame, is expected"
        )
    if not pictures:
        raise InputError(
            f"{name} is a ZIP archive that holds other files than masks ({some(ordered)}): "
            f"annotations ({', '.join(ANNOTATIONS)}), pictures or .npy files are expected"
        )
    return pictures


def _pages(file: pathlib.PurePosixPath, data: bytes, name: str, video: TargetVideo) -> list[Page]:
    read = ANNOTATIONS.get(file.suffix.lower())
    if read is not None:
        return read(data, name, video)
    pages = read_image_file(data, name, video)
    if len(pages) > 1:
        raise InputError(
            f"{name} holds {len(pages)} masks: one for the frame of its name is expected"
        )
    index = number(without_prefix(file.stem)) if video.names is None else None
    return [Page(pages[0].raw, file.stem + file.suffix if index is None else index)]
