"""Finds the files of a folder in DAVIS or YouTube-VOS layout; the only place that knows these.

    JPEGImages/[RESOLUTION/]VIDEO/FRAME.jpg    Annotations/[RESOLUTION/]VIDEO/FRAME.png
    ImageSets/YEAR/SPLIT.txt                   DAVIS: the videos of a split
    meta.json                                  YouTube-VOS: objects, their categories and frames

A folder SPLIT_all_frames beside SPLIT has every frame of the same videos (in YouTube-VOS, 30 a
second instead of 6); masks and meta.json are those of SPLIT.
"""

import json
import os
import pathlib
from typing import Any, NamedTuple

from vosjax.datasets.decode import IGNORE
from vosjax.errors import InputError, shown
from vosjax.io.content import load_file, load_text
from vosjax.io.names import check_name, natural, printable
from vosjax.io.refusals import reading

PICTURES = (".jpg", ".jpeg", ".png")
RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
_ALL_FRAMES = "_all_frames"


class Layout(NamedTuple):
    """The parts of a dataset's folder.

    root      the folder of Annotations, ImageSets and meta.json
    images    has a folder of frames for every video
    masks     has a folder of masks for every annotated video; may be missing
    released  like `images`, but the sparse release if `images` has all frames
    """

    root: pathlib.Path
    images: pathlib.Path
    masks: pathlib.Path
    released: pathlib.Path


class VideoFiles(NamedTuple):
    """The files of a video.

    name    its name
    frames  picture files in order of time
    masks   {index of a frame: its mask file}
    stray   mask files that belong to no frame
    """

    name: str
    frames: tuple[pathlib.Path, ...]
    masks: dict[int, pathlib.Path]
    stray: tuple[pathlib.Path, ...]


class MetaObject(NamedTuple):
    """An object in meta.json: its category ('' if it is not named) and the frames that list it."""

    category: str
    frames: tuple[str, ...]


def is_layout(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a folder has its pictures where both layouts have them.

    is_layout("DAVIS")      # True
    """
    return (pathlib.Path(folder) / "JPEGImages").is_dir()


def is_youtube_vos(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a folder is YouTube-VOS's: it has a meta.json or is named `*_all_frames`.

    is_youtube_vos("YTB/valid")     # True
    """
    folder = pathlib.Path(folder)
    return folder.name.endswith(_ALL_FRAMES) or (folder / "meta.json").is_file()


def find(
    folder: str | os.PathLike[str], *, resolution: str | None = None, all_frames: bool = False
) -> Layout:
    """Finds the parts of a dataset's folder.

        find("DAVIS", resolution="480p").images  # DAVIS/JPEGImages/480p

    Args:
        folder: a folder with JPEGImages. If it is named `*_all_frames` and has no masks, it takes
            those of its neighbour.
        resolution: the folder between JPEGImages and the videos; None takes the smallest one. It
            does not matter if the videos are directly in JPEGImages.
        all_frames: whether to take the pictures of the neighbour `*_all_frames`, and the rest from
            `folder`.

    Raises:
        InputError: there is no such folder, no JPEGImages in it, or no such resolution.
    """
    root = images_root = pathlib.Path(folder)
    if all_frames and not root.name.endswith(_ALL_FRAMES):
        images_root = root.with_name(root.name + _ALL_FRAMES)
    elif root.name.endswith(_ALL_FRAMES) and not _has_masks(root):
        root = root.with_name(root.name.removesuffix(_ALL_FRAMES))
    if not (images_root / "JPEGImages").is_dir():
        raise InputError(
            f"{images_root} has no folder JPEGImages: expected JPEGImages/VIDEO/FRAME.jpg and "
            "Annotations/VIDEO/FRAME.png, as in DAVIS or YouTube-VOS"
        )
    below = _resolution(images_root / "JPEGImages", resolution)
    return Layout(
        root,
        images_root / "JPEGImages" / below,
        root / "Annotations" / below,
        root / "JPEGImages" / below,
    )


def video_names(images: pathlib.Path) -> tuple[str, ...]:
    """Returns the sorted names of the videos that have a folder in `images`.

    video_names(pathlib.Path("DAVIS/JPEGImages/480p"))
    """
    with reading(images):
        paths = list(images.iterdir())
    return tuple(sorted(path.name for path in paths if path.is_dir() and path.name[0] != "."))


def broken_links(images: pathlib.Path) -> dict[str, str]:
    """Returns {name: target} of the links in `images` that lead nowhere, or in a circle.

    broken_links(pathlib.Path("DAVIS/JPEGImages/480p"))     # {'bear': '/mnt/gone/bear'}
    """
    with reading(images):
        links = sorted(path for path in images.iterdir() if path.is_symlink())
    return {
        path.name: os.readlink(path)
        for path in links
        if path.name[0] != "." and not os.path.exists(path)
    }


def split_names(layout: Layout, split: str, *, year: int | None = None) -> tuple[str, ...]:
    """Returns the videos on one of DAVIS' lists, ImageSets/YEAR/SPLIT.txt, in its order.

        split_names(find("DAVIS"), "val", year=2017)

    Lists have a name in each line, or (DAVIS 2016) the paths of a picture and its mask.

    Args:
        layout: the parts of the dataset's folder.
        split: name of the list, 'val' for val.txt.
        year: 2017, or 2016, whose lists are in a resolution's folder; None takes the newest year
            that has such a list.

    Raises:
        InputError: there is no such list, or a name on it cannot be that of a video.
    """
    check_name(split, where="the list's name")
    lists = layout.root / "ImageSets"
    if year is None:
        candidates = sorted(
            lists.glob(f"*/{split}.txt"),
            reverse=True,
            key=lambda path: (path.parent.name.isdecimal(), path.parent.name),
        )
    else:
        folders = [str(year), *((layout.images.name, "480p") if year == 2016 else ())]
        candidates = [lists / name / f"{split}.txt" for name in folders]
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        there = sorted({path.stem for path in lists.glob("*/*.txt")})
        raise InputError(
            f"{layout.root} has no list ImageSets/{year or '*'}/{split}.txt (there are lists "
            f"{', '.join(there) or 'of none'}): name a split that is there, or none to take every "
            "video"
        )
    # A name that is not UTF-8 is read as Python reads it from a folder.
    text = load_file(file, name=f"list {printable(file)}").decode("utf-8", "surrogateescape")
    lines = text.splitlines()
    words = [line.split()[0] for line in lines if line.strip()]
    videos = [word.split("/")[-2] if "/" in word else word for word in words]
    return tuple(dict.fromkeys(check_name(video, where=file) for video in videos))


def read_meta(folder: str | os.PathLike[str]) -> dict[str, dict[int, MetaObject]] | None:
    """Returns {video: {id: MetaObject}} of a folder's meta.json, or None without this file.

        read_meta("youtube_vos/valid")["00f88c4f0a"][1].category  # 'fish'

    Raises:
        InputError: it is not a meta.json of YouTube-VOS, or has a name that cannot be that of a
            video or frame.
    """
    path = pathlib.Path(folder) / "meta.json"
    if not path.exists():
        return None
    text = load_text(path, name=printable(path))
    try:
        with reading(path):
            text = path.read_text(encoding="utf-8")
        return {
            check_name(name, where=path): {
                _id(key): _meta_object(entry, path) for key, entry in video["objects"].items()
            }
            for name, video in json.loads(text)["videos"].items()
        }
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{printable(path)} is no YouTube-VOS meta.json ({shown(error)}): expected videos -> "
            "name -> objects -> id -> category and frames; correct it or remove it"
        ) from error


def _id(text: str) -> int:
    value = int(text)
    if not 1 <= value < IGNORE:
        raise ValueError(f"an object has the id {value}; 1 to {IGNORE - 1} are expected")
    return value


def _meta_object(entry: dict[str, Any], path: pathlib.Path) -> MetaObject:
    category, frames = entry.get("category", ""), entry.get("frames", ())
    if not isinstance(category, str) or not isinstance(frames, list | tuple):
        raise TypeError("an object's category is a text, its frames are a list of names")
    return MetaObject(category, tuple(check_name(frame, where=path) for frame in frames))


def video_files(name: str, images: pathlib.Path, masks: pathlib.Path) -> VideoFiles:
    """Returns the files of a video; it may have none.

        files = video_files("bear", layout.images, layout.masks)

    Args:
        name: name of the video.
        images: the folder of all videos' pictures.
        masks: the folder of all videos' masks, which are PNGs with the stems of their frames.
    """
    frames = tuple(listing(images))
    index = {path.stem: t for t, path in enumerate(frames)}
    files = listing(masks, (".png",))
    return VideoFiles(
        name,
        frames,
        {index[path.stem]: path for path in files if path.stem in index},
        tuple(path for path in files if path.stem not in index),
    )


def listing(folder: pathlib.Path, endings: tuple[str, ...] = PICTURES) -> list[pathlib.Path]:
    """Returns a folder's files with one of these endings in natural order; [] without the folder.

    listing(pathlib.Path("DAVIS/JPEGImages/480p/bear"))
    """
    if not folder.is_dir():
        return []
    with reading(folder):
        paths = list(folder.iterdir())
    return sorted(
        (path for path in paths if path.suffix.lower() in endings and path.name[0] != "."),
        key=lambda path: natural(path.name),
    )


def _has_masks(root: pathlib.Path) -> bool:
    annotations = root / "Annotations"
    return annotations.is_dir() and any(annotations.iterdir())


def _resolution(images: pathlib.Path, asked: str | None) -> str:
    """Returns the name of the folder between JPEGImages and the videos, or '' if there is none."""
    there = [name for name in RESOLUTIONS if (images / name).is_dir()]
    if asked is None:
        return there[0] if there else ""
    if (images / asked).is_dir():
        return asked
    if there or asked not in RESOLUTIONS:
        raise InputError(
            f"{images} has no folder {asked}: name a resolution that it has "
            f"({', '.join(there) or 'none: leave it out'})"
        )
    return ""
