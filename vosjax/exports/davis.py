"""The format `davis`: frames and masks as DAVIS has them, so that a network can be trained on them.

    JPEGImages/RESOLUTION/NAME/FRAME.jpg
    Annotations/RESOLUTION/NAME/FRAME.png
    ImageSets/2017/train.txt

RESOLUTION is 480p for frames whose short side has 480 pixels, else Full-Resolution, or whatever the
folder has already: several videos may be written into one folder, one after another.
"""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

import cv2
from PIL import Image

from vosjax.errors import InputError
from vosjax.exports.places import REPLACE, check_folder, new_folder
from vosjax.exports.protocol import Export, Tell
from vosjax.exports.segmentation import Segmentation
from vosjax.io.content import load_file
from vosjax.io.files import atomic, write_bytes
from vosjax.io.names import name_problem, printable, some
from vosjax.io.palette import write_label_png
from vosjax.io.pictures import ORIENTATION, UPRIGHT
from vosjax.io.video import Frame

RESOLUTIONS = ("480p", "Full-Resolution")
PARTS = ("JPEGImages", "Annotations", "ImageSets")
LIST = pathlib.PurePath("ImageSets", "2017", "train.txt")
QUALITY = 95  # of a JPEG
VOID = 255  # pixels that DAVIS does not score


def write(
    folder: pathlib.Path, segmentation: Segmentation, tell: Tell, *, overwrite: bool = False
) -> None:
    """Writes the video into a folder that may hold others.

    JPEG files of a folder of images are copied as they are. The list is written last, so an export
    that was stopped leaves no video in it that is not whole.

    Args:
        folder: the folder, new or of this layout.
        segmentation: what is written.
        tell: called with the index of each frame that is done.
        overwrite: whether a video of this name in the folder is replaced.

    Raises:
        InputError: the folder holds something else, or a video of this name; an object has the id
            255; frames have names that files of this layout cannot have.
    """
    name = segmentation.name
    resolution = _resolution(folder, segmentation.video.size)
    images, masks = (folder / part / resolution / name for part in PARTS[:2])
    try:
        check_folder(images, (".jpg",), overwrite=overwrite)
        check_folder(masks, (".png",), overwrite=overwrite)
    except InputError as error:
        raise InputError(f"video {printable(name)}: {error}") from error
    bad = [name for name in segmentation.video.names or () if name_problem(name)]
    if bad:
        raise InputError(
            f"frames are named {some(bad)}, as no frame of a dataset can be: rename the images"
        )
    with (
        _without_empty(images.parent, masks.parent),
        new_folder(images) as new_images,
        new_folder(masks) as new_masks,
    ):
        for index, frame, labels in segmentation.shown():
            stem = segmentation.stem(index)
            _write_image(new_images / f"{stem}.jpg", segmentation, index, frame)
            if index in segmentation.masks:
                if (labels == VOID).any():
                    raise InputError(
                        f"object {VOID} cannot be exported to DAVIS' layout, in which {VOID} is "
                        "void: give it another id"
                    )
                write_label_png(new_masks / f"{stem}.png", labels)
            tell(index)
    _enlist(folder / LIST, name)


@contextlib.contextmanager
def _without_empty(*folders: pathlib.Path) -> Iterator[None]:
    """Removes, after an error, the empty folders that were made on the way to these."""
    try:
        yield
    except BaseException:
        for folder in folders:
            with contextlib.suppress(OSError):  # the first that is not empty
                for empty in (folder, *folder.parents[:2]):
                    with contextlib.suppress(FileNotFoundError):
                        empty.rmdir()
        raise


def _resolution(folder: pathlib.Path, size: tuple[int, int]) -> str:
    """Returns the folder between the parts and the videos; refuses a folder of something else."""
    if os.path.lexists(folder):
        if not folder.is_dir():
            raise InputError(f"{printable(folder)} is a file: the name of a folder is expected")
        there = [file.name for file in folder.iterdir() if not file.name.startswith(".")]
        others = [name for name in there if name not in PARTS]
        if others:
            raise InputError(
                f"{printable(folder)} holds other files ({some(others)}) than DAVIS' layout: "
                f"{REPLACE.partition(',')[0]}"
            )
        present = [name for name in RESOLUTIONS if (folder / PARTS[0] / name).is_dir()]
        if present:
            return present[0]
    return RESOLUTIONS[0] if min(size) == 480 else RESOLUTIONS[1]


def _write_image(path: pathlib.Path, segmentation: Segmentation, index: int, frame: Frame) -> None:
    video = segmentation.video
    if video.names is not None and len(video.files) == len(video.names):
        source = video.files[index]
        if not frame.missing and _is_plain_jpeg(source):
            with atomic(path, durable=False) as temp:
                shutil.copyfile(source, temp)
            return
    done, data = cv2.imencode(
        ".jpg",
        cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR),
        [cv2.IMWRITE_JPEG_QUALITY, QUALITY],
    )
    assert done, "OpenCV encodes every uint8 [H, W, 3] as JPEG"
    write_bytes(path, data.tobytes(), durable=False)


def _is_plain_jpeg(path: pathlib.Path) -> bool:
    """Returns whether a file is a JPEG in RGB that every reader shows in the same way."""
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        return False
    with Image.open(path) as image:
        upright = image.getexif().get(ORIENTATION, UPRIGHT) == UPRIGHT
        return image.format == "JPEG" and image.mode == "RGB" and upright


def _enlist(path: pathlib.Path, name: str) -> None:
    """Adds a video to the list, if it is not there."""
    # A name that is not UTF-8 is written as it is read: as the bytes of the file system.
    data = load_file(path, name=f"list {printable(path)}") if path.exists() else b""
    text = data.decode("utf-8", "surrogateescape")
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if name not in names:
        write_bytes(
            path, "".join(f"{line}\n" for line in [*names, name]).encode(errors="surrogateescape")
        )


EXPORT = Export(
    "davis",
    "",
    (".jpg", ".png", ".txt"),
    "frames and masks in DAVIS layout, for training",
    write,
    in_place=True,
)
