"""Training patches along boundaries: made from a run's coarse masks and the truth, and read again.

The rules are those of BPR (arXiv 2104.05239; tinyalpha/BPR, `tools/split_patches.py` and
`tools/filter.py`), with videos in place of photos: an object of a run is compared with the objects
of the truth in the same frame, and is dropped unless the best IoU exceeds 0.5. Along its boundary
lie boxes, and each gives a patch: image, coarse mask, and truth of the object of the best IoU.

A set is a folder with one `VIDEO.npz` for each video, compressed, in which stand

    images  uint8 [K, S, S, 3]  RGB
    coarse  uint8 [K, S, S]     0 and 1
    truth   uint8 [K, S, S]     0 and 1, 255 ignored
"""

import io
import os
import pathlib
import re
import zipfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.datasets import catalog, decode
from vosjax.datasets.decode import IGNORE, Labels, Picture
from vosjax.datasets.protocol import Source, frame_names
from vosjax.errors import InputError
from vosjax.io.files import write_bytes
from vosjax.io.refusals import reading, writing
from vosjax.refine.boundary.boxes import boundary_boxes
from vosjax.train.config import PatchesConfig

MASKS = "masks"  # below the folder of a run
SUFFIX = ".npz"

Bytes = npt.NDArray[np.uint8]


class Patches(NamedTuple):
    """K patches of side S.

    images  uint8 [K, S, S, 3] RGB
    coarse  uint8 [K, S, S], 0 and 1
    truth   uint8 [K, S, S], 0 and 1, 255 ignored
    """

    images: Bytes
    coarse: Bytes
    truth: Bytes


class VideoCount(NamedTuple):
    """What became of a video: objects are counted once a frame.

    name     of the video
    patches  number of patches that were written
    objects  objects of the run that gave patches
    dropped  objects of the run whose best IoU with the truth was too low
    """

    name: str
    patches: int
    objects: int
    dropped: int


def matching_object(mask: npt.NDArray[np.bool_], truth: Labels) -> tuple[int, float]:
    """Finds the object of the truth that a mask has the best IoU with.

        object_id, iou = matching_object(coarse == 3, truth)

    Args:
        mask: bool [H, W].
        truth: uint8 [H, W] of ids; 0 is the background, and pixels of 255 do not count.

    Returns:
        Its id and the IoU in 0..1; (0, 0.0) if the mask overlaps none.
    """
    counted = truth != IGNORE
    area = int(np.count_nonzero(mask & counted))
    inside = np.bincount(truth[mask & counted], minlength=256)
    whole = np.bincount(truth.ravel(), minlength=256)
    inside[0] = 0
    ious = inside / np.maximum(area + whole - inside, 1)
    best = int(np.argmax(ious))
    return (best, float(ious[best])) if inside.any() else (0, 0.0)


def frame_patches(
    frame: Picture, coarse: Labels, truth: Labels, settings: PatchesConfig
) -> tuple[Patches, int, int]:
    """Makes the patches of a frame.

        patches, objects, dropped = frame_patches(frame, coarse, truth, PatchesConfig())

    Objects whose coarse mask is the truth, pixel for pixel, give none: they were given there.

    Args:
        frame: uint8 [H, W, 3] RGB.
        coarse: uint8 [H, W], the run's ids.
        truth: uint8 [H, W] of ids, not necessarily the same; 255 is ignored.
        settings: side, threshold and least IoU.

    Returns:
        The patches, the number of objects that gave some, and the number that were dropped.
    """
    side, objects, dropped = settings.side, 0, 0
    images, masks, truths = [], [], []
    for label in np.unique(coarse[(coarse != 0) & (coarse != IGNORE)]).tolist():
        mask = coarse == label
        best, iou = matching_object(mask, truth)
        if iou <= settings.least_iou:
            dropped += 1
            continue
        own = np.where(truth == IGNORE, np.uint8(IGNORE), (truth == best).astype(np.uint8))
        boxes = boundary_boxes(mask, threshold=settings.threshold, patch=side)
        if iou == 1.0 or not len(boxes):
            continue
        objects += 1
        for x1, y1, x2, y2 in boxes.tolist():
            images.append(frame[y1:y2, x1:x2])
            masks.append(mask[y1:y2, x1:x2].astype(np.uint8))
            truths.append(own[y1:y2, x1:x2])
    if not images:
        empty = np.zeros((0, side, side), np.uint8)
        return Patches(np.zeros((0, side, side, 3), np.uint8), empty, empty), objects, dropped
    return Patches(np.stack(images), np.stack(masks), np.stack(truths)), objects, dropped


def make(
    run: str | os.PathLike[str],
    data: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    settings: PatchesConfig,
) -> Iterator[VideoCount]:
    """Writes the patches of a run to a folder, video by video, and yields what became of each.

        for count in make("runs/coarse", "DAVIS", "patches/davis", PatchesConfig(every=2)):
            print(count.name, count.patches)

    Frames count that have both a mask of the run and a truth. A video without patches leaves no
    file.

    Args:
        run: a finished run of `--mode eval`: its masks/VIDEO/FRAME.png are the coarse masks.
        data: the dataset with the truth, see `catalog.find`.
        folder: where the set goes; files of videos of the same names are replaced.
        settings: how patches are made.

    Raises:
        InputError: the run has no masks of the dataset's videos, or a file cannot be read.
    """
    masks, source = pathlib.Path(run) / MASKS, catalog.open_videos(data)
    numbers = [number for number, name in enumerate(source.names) if (masks / name).is_dir()]
    if not numbers:
        raise InputError(
            f"{masks} holds no masks of videos of {data} ({', '.join(source.names[:3])}, ...): "
            "give the --output of an evaluation on this dataset as --input"
        )
    for number in numbers:
        parts, objects, dropped = [], 0, 0
        for frame, coarse, truth in _frames(source, number, masks, settings.every):
            made, used, left = frame_patches(frame, coarse, truth, settings)
            parts.append(made)
            objects, dropped = objects + used, dropped + left
        count = sum(len(part.images) for part in parts)
        if count:
            path = pathlib.Path(folder) / f"{source.names[number]}{SUFFIX}"
            joined = Patches(*(np.concatenate(arrays) for arrays in zip(*parts)))
            _write(path, joined)
        yield VideoCount(source.names[number], count, objects, dropped)


def _frames(
    source: Source, number: int, masks: pathlib.Path, every: int
) -> Iterator[tuple[Picture, Labels, Labels]]:
    """Yields frame, coarse mask and truth of the frames that have all three."""
    header, names = source.header(number), frame_names(source, number)
    for index in header.annotated:
        path = masks / header.name / f"{names[index]}.png"
        if index % every or not path.is_file():
            continue
        (stored,), where = source.read(number, [index]), source.locate(number, index)
        with reading(path):
            coarse = decode.labels(path.read_bytes(), name=str(path))
        frame = decode.frame(stored.image, name=where.image)
        truth = decode.mask(stored.mask, name=where.mask)
        if not coarse.shape == truth.shape == frame.shape[:2]:
            raise InputError(
                f"{path} is {coarse.shape[1]}x{coarse.shape[0]}, its frame "
                f"{frame.shape[1]}x{frame.shape[0]} and its truth {truth.shape[1]}x"
                f"{truth.shape[0]} (width x height): one size is expected"
            )
        yield frame, coarse, truth


def _write(path: pathlib.Path, patches: Patches) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **patches._asdict())
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, buffer.getvalue())


def names(folder: str | os.PathLike[str], only: str = "") -> list[str]:
    """Returns the names of the videos of a set, sorted.

        names("patches/davis", only="^davis16_")

    Args:
        folder: the folder of the set.
        only: a regular expression that is found in the names; '' takes all.

    Raises:
        InputError: the folder holds no set, or no such video.
    """
    there = sorted(path.stem for path in pathlib.Path(folder).glob(f"*{SUFFIX}"))
    chosen = [name for name in there if re.search(only, name)]
    if not chosen:
        raise InputError(
            f"{folder} holds no patches"
            + (f" of videos in whose names {only!r} is found" if there else "")
            + ": make a set by --mode patches --input RUN --data DATASET --output FOLDER"
        )
    return chosen


def read(folder: str | os.PathLike[str], videos: Sequence[str]) -> Patches:
    """Reads the patches of some videos of a set into memory, 20 KB each at a side of 64.

        patches = read("patches/davis", names("patches/davis"))

    Raises:
        InputError: a file is missing or damaged, or the patches of two videos differ in side.
    """
    parts = []
    for video in videos:
        path = pathlib.Path(folder) / f"{video}{SUFFIX}"
        try:
            with reading(path), np.load(path) as file:
                parts.append(Patches(*(file[name] for name in Patches._fields)))
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path} is damaged ({error}): make the set again by --mode patches"
            ) from error
    if len({part.images.shape[1:] for part in parts}) > 1:
        raise InputError(f"the patches in {folder} have several sides: make the set again")
    return Patches(*(np.concatenate(arrays) for arrays in zip(*parts)))
