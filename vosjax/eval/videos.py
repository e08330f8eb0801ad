"""Finds and checks the videos of a dataset run, and reads their frames and masks."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from vosjax.datasets import catalog, decode, folders, layout
from vosjax.datasets.protocol import Header, Source, frame_names
from vosjax.errors import Damaged, InputError
from vosjax.eval import rules


class EvalVideo(NamedTuple):
    """One video of a dataset run; frames are named by their indices in `frames`.

    name     name of the video
    frames   names of its frames, which are the stems of the files that are written
    starts   {object id: index of the frame whose mask gives the object}
    scored   indices of the frames that are scored (some objects may start later)
    truths   indices of the annotated frames; None if the ground truth is not public
    written  indices of the frames whose masks a server expects
    source   the dataset that frames and masks are read from
    number   number of the video in `source`
    binary   whether 255 is object 1 in its masks, and not void
    damage   why a given mask cannot be decoded, so that the video cannot be run; else ''
    """

    name: str
    frames: tuple[str, ...]
    starts: dict[int, int]
    scored: tuple[int, ...]
    truths: tuple[int, ...] | None
    written: tuple[int, ...]
    source: Source
    number: int
    binary: bool = False
    damage: str = ""

    @property
    def given(self) -> tuple[int, ...]:
        """Indices of the frames whose masks are given, in ascending order."""
        return tuple(sorted(set(self.starts.values())))


def discover(
    data: str | os.PathLike[str],
    *,
    split: str | None = None,
    year: int = 2017,
    resolution: str | None = "480p",
    names: Sequence[str] | None = None,
    all_frames: bool = False,
) -> list[EvalVideo]:
    """Finds the videos of a dataset, plain or prepared, and checks that their files are complete.

        for video in discover("DAVIS", split="val"):
            print(video.name, len(video.frames), video.starts)

    The rules of YouTube-VOS apply to a prepared dataset whose objects have categories, and to a
    folder with a meta.json or a name `*_all_frames`; those of DAVIS apply to all other datasets.

    Args:
        data: a dataset's folder or name, see `catalog.find`.
        split: split of a prepared dataset, or for DAVIS the list ImageSets/YEAR/SPLIT.txt; None
            takes every video.
        year: year of DAVIS: 2017, or 2016, where all objects of a mask are one.
        resolution: for DAVIS, the folder between JPEGImages and the videos, if there is one.
        names: takes only these videos, in this order.
        all_frames: for YouTube-VOS, tracks the frames of the neighbouring folder `*_all_frames`;
            masks, scored and written frames stay those of `data`.

    Raises:
        InputError: there is no such dataset; a list or meta.json names a missing file; a file was
            lost; a first mask shows no object, or not the one that meta.json announces.
    """
    folder = catalog.find(data)
    if catalog.is_prepared(folder):
        return _prepared(folder, split, year, names)
    if all_frames or layout.is_youtube_vos(folder):
        return _youtube_folder(folders.Folder(str(folder), all_frames=all_frames), names)
    source = folders.Folder(
        str(folder), None if names is None else tuple(names), split, year, resolution
    )
    return _davis_folder(source, year)


def read_frame(video: EvalVideo, index: int) -> decode.Picture:
    """Reads a frame, uint8 [H, W, 3] RGB.

        image = read_frame(video, 0)

    Raises:
        InputError: the frame cannot be read.
    """
    (encoded,) = video.source.read(video.number, [index])
    return decode_frame(video, index, encoded.image)


def decode_frame(video: EvalVideo, index: int, data: bytes) -> decode.Picture:
    """Decodes a frame, uint8 [H, W, 3] RGB, from its stored bytes.

    Raises:
        InputError: the bytes are damaged; the message names the frame's file.
    """
    return decode.frame(data, name=video.source.locate(video.number, index).image)


def frame_size(video: EvalVideo, index: int) -> tuple[int, int]:
    """Returns (height, width) of a frame without decoding it.

        height, width = frame_size(video, 0)

    Raises:
        InputError: the frame cannot be read.
    """
    (encoded,) = video.source.read(video.number, [index])
    return decode.size(encoded.image, name=video.source.locate(video.number, index).image)


def read_labels(video: EvalVideo, index: int) -> decode.Labels:
    """Reads the mask of an annotated frame, uint8 [H, W] of ids; 255 is void.

        labels = read_labels(video, 0)

    Raises:
        InputError: the mask cannot be read.
    """
    (encoded,) = video.source.read(video.number, [index], images=False)
    labels = decode.labels(encoded.mask, name=video.source.locate(video.number, index).mask)
    return np.where(labels == decode.IGNORE, np.uint8(1), labels) if video.binary else labels


def read_given(video: EvalVideo, index: int, *, year: int = 2017) -> decode.Labels:
    """Reads the label map that is given in a frame, uint8 [H, W], with objects that start there.

        labels = read_given(video, 0)

    The mask of a later frame also shows objects that are already being tracked, whose ground truth
    must not be revealed. Void becomes background; in DAVIS 2016 all objects are object 1.

    Args:
        video: the video.
        index: index of the frame, one of `video.given`.
        year: year of DAVIS.

    Raises:
        InputError: the mask cannot be read.
    """
    labels = read_labels(video, index)
    if year == 2016:
        return (labels != 0).view(np.uint8)
    starting = [key for key, start in video.starts.items() if start == index]
    return np.where(np.isin(labels, starting), labels, 0).astype(np.uint8)


def truths(videos: Sequence[EvalVideo]) -> dict[str, dict[str, Callable[[], decode.Labels]]]:
    """Returns {video: {frame: function that reads its truth}}, which `scoring.score` takes.

        tables = scoring.score(truths(videos), "out/masks", protocol=protocols.davis())

    Videos without public ground truth are left out.
    """
    return {
        video.name: {video.frames[t]: partial(read_labels, video, t) for t in video.truths}
        for video in videos
        if video.truths is not None
    }


def _video(source: Source, number: int, decide: Callable[[Header], rules.Rules]) -> EvalVideo:
    """Makes a video by the rules `decide`; if a given mask is damaged, only this video fails."""
    names, damage = frame_names(source, number), ""
    try:
        decided = decide(source.header(number))
    except Damaged as error:
        decided, damage = rules.Rules({}, (), None, ()), str(error)
    return EvalVideo(
        source.names[number],
        names,
        *decided[:4],
        source=source,
        number=number,
        binary=decided.binary,
        damage=damage,
    )


def _prepared(
    folder: str | os.PathLike[str], split: str | None, year: int, names: Sequence[str] | None
) -> list[EvalVideo]:
    source = catalog.open_videos(folder, split=split)
    numbers = {name: number for number, name in enumerate(source.names)}
    absent = [name for name in names or () if name not in numbers]
    if absent:
        raise InputError(f"{folder} has no video {', '.join(absent[:3])}: name videos that it has")
    videos = []
    for name in names or sorted(numbers):
        header = source.header(numbers[name])
        categories = any(announced.category for announced in header.announced.values())
        decide = rules.youtube if categories else partial(rules.davis, year=year)
        videos.append(_video(source, numbers[name], decide))
    return videos


def _davis_folder(source: folders.Folder, year: int) -> list[EvalVideo]:
    annotations = source.parts.root / "Annotations"
    if not annotations.is_dir():
        raise InputError(
            f"{source.root} has no folder Annotations: expected a DAVIS folder (JPEGImages, "
            "Annotations) or a YouTube-VOS folder (with meta.json besides)"
        )
    videos = []
    for number in range(len(source)):
        header = source.header(number)
        _check_files(source, header)
        videos.append(_video(source, number, partial(rules.davis, year=year)))
        annotated = set(header.annotated)
        if header.length > len(annotated) > header.length / 2:
            lost = next(t for t in range(header.length) if t not in annotated)
            raise InputError(
                f"{source.parts.masks / header.name} has no mask {header.names[lost]}.png though "
                f"{len(annotated)} of {header.length} frames have one: unpack the dataset again"
            )
    return videos


def _youtube_folder(source: folders.Folder, names: Sequence[str] | None) -> list[EvalVideo]:
    root = source.parts.root
    for path in (root / "Annotations", root / "meta.json"):
        if not path.exists():
            raise InputError(
                f"there is no {path}: a YouTube-VOS folder has JPEGImages, Annotations and "
                "meta.json (all frames: JPEGImages in FOLDER_all_frames)"
            )
    meta = read_meta(root)
    unknown = [name for name in names or () if name not in meta]
    if unknown:
        raise InputError(
            f"{root / 'meta.json'} does not name {', '.join(unknown[:3])}: name videos that it has"
        )
    source = folders.Folder(
        source.root, tuple(meta if names is None else names), all_frames=source.all_frames
    )
    videos = []
    for number in range(len(source)):
        header = source.header(number)
        _check_files(source, header)
        if header.missing:
            raise InputError(
                f"{source.parts.images / header.name} lacks frame {header.missing[0]}, which "
                "meta.json lists: unpack the dataset again"
            )
        videos.append(_video(source, number, rules.youtube))
    return videos


def read_meta(folder: str | os.PathLike[str]) -> dict[str, dict[int, layout.MetaObject]]:
    """Reads a meta.json by `layout.read_meta` and checks what the rules of YouTube-VOS need.

        categories = read_meta("YTB/valid")

    Raises:
        InputError: there is no meta.json, or a video has no objects, or one without category or
            frames.
    """
    path = os.path.join(folder, "meta.json")
    meta = layout.read_meta(folder)
    if meta is None:
        raise InputError(f"there is no {path}, which YouTube-VOS's rules need")
    for name, objects in meta.items():
        if not objects or not all(entry.category and entry.frames for entry in objects.values()):
            raise InputError(
                f"{path} is no YouTube-VOS meta.json (video {name} has no objects, or one without "
                "category or frames): expected videos -> id -> objects -> id -> category and frames"
            )
    return meta


def _check_files(source: folders.Folder, header: Header) -> None:
    """Raises an InputError that names the file if one was lost from a video's folders."""
    images = source.parts.images / header.name
    if not header.annotated and not header.stray:
        raise InputError(
            f"there is no mask in {source.parts.masks / header.name}: unpack the dataset again"
        )
    lost = rules.lost_number(header.names)
    if lost is not None:
        before, number = lost
        raise InputError(
            f"{images} has no frame {number} between {before} and the next one: unpack the "
            "dataset again"
        )
    if header.stray:
        mask = source.parts.masks / header.name / f"{header.stray[0]}.png"
        raise InputError(
            f"{mask} has no frame {header.stray[0]} in {images}: unpack the dataset again"
        )
