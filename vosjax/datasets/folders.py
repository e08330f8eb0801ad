"""Videos in DAVIS or YouTube-VOS layout, read from plain files; nothing has to be registered.

    JPEGImages/[RESOLUTION/]VIDEO/*.jpg    Annotations/[RESOLUTION/]VIDEO/*.png of the same stems

A list of names may lie in `ImageSets/YEAR/SPLIT.txt` (DAVIS); categories and listed frames in
`meta.json` (YouTube-VOS). A folder named `*_all_frames` without Annotations has the masks of its
neighbour without that ending.
"""

import dataclasses
import functools
import json
import pathlib
from typing import NamedTuple

import numpy as np

from vosjax.datasets import decode
from vosjax.datasets import protocol as protocol
from vosjax.errors import InputError
from vosjax.io.video import natural

_PICTURES = (".jpg", ".jpeg", ".png")
_RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
_DENSE = "_all_frames"


class VideoFiles(NamedTuple):
    """A clip on disk: name, frame paths in order, {frame index: mask path} where annotated."""

    name: str
    frames: tuple
    masks: dict


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder as a source of videos (see `datasets.protocol`).

    root        of either layout
    names       videos, in this order; None: those of `split`, else all
    split       a list in ImageSets, 'train' for ImageSets/2017/train.txt
    resolution  the folder between JPEGImages and the videos, if there is one; None: the smallest
    """

    root: str
    names: tuple | None = None
    split: str | None = None
    resolution: str | None = None

    def __len__(self):
        return len(_listed(self))

    def annotated(self):
        """Whether any video has a mask."""
        return any(video.masks for video in _listed(self))

    def header(self, index):
        """The `videos.Header`; its masks are read once and what they show is remembered."""
        return _header(self, int(index))

    def read(self, index, frames):
        """The `videos.Encoded` frames of these indices."""
        video = _listed(self)[index]
        return [
            protocol.Encoded(
                video.frames[t].stem,
                video.frames[t].read_bytes(),
                video.masks[t].read_bytes() if t in video.masks else b"",
            )
            for t in map(int, frames)
        ]


def videos(root, names=None, *, split=None, resolution=None):
    """The `Video`s under `root`, or those called `names`, or those of a split's list.

    Raises:
        InputError: the folder has neither layout, or a video is missing or empty.
    """
    root = pathlib.Path(root)
    images = _images(root, resolution)
    masks = _masks(root, images)
    present = sorted(
        path.name for path in images.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if names is None and split is not None:
        names = _split(root, split)
    chosen = present if names is None else list(names)
    missing = sorted(set(chosen) - set(present))
    if missing or not chosen:
        shown = ", ".join(present[:8]) + (", ..." if len(present) > 8 else "")
        raise InputError(
            f"{images} has no clip {', '.join(missing[:8]) or 'at all'}; it holds: "
            f"{shown or 'none'}"
        )
    return [_video(name, images / name, masks / name) for name in chosen]


def read_frame(path):
    """A frame uint8 [H, W, 3] RGB, as stored (no turning by EXIF, so that masks fit)."""
    return decode.image(pathlib.Path(path).read_bytes(), name=str(path))


def read_mask(path):
    """Object ids uint8 [H, W]; see `decode.mask`."""
    return decode.mask(pathlib.Path(path).read_bytes(), name=str(path))


def first_appearances(video):
    """{frame index: mask uint8 [H, W]} with every object where it is first annotated, only there.

    These are the prompts of semi-supervised evaluation: later masks of known objects are withheld.
    """
    known, prompts = {0, 255}, {}
    for index in sorted(video.masks):
        mask = read_mask(video.masks[index])
        new = [i for i in np.unique(mask) if i not in known]
        if new:
            prompts[index] = np.where(np.isin(mask, new), mask, 0).astype(np.uint8)
            known.update(int(i) for i in new)
    return prompts


def is_layout(root):
    """Whether a folder has pictures where both layouts have them."""
    return (pathlib.Path(root) / "JPEGImages").is_dir()


def _images(root, resolution):
    images = root / "JPEGImages"
    if not images.is_dir():
        raise InputError(
            f"{root} holds no JPEGImages folder; expected JPEGImages/CLIP/*.jpg and "
            "Annotations/CLIP/*.png, as in DAVIS or YouTube-VOS"
        )
    if resolution is not None:
        if not (images / resolution).is_dir():
            raise InputError(f"{images} has no folder {resolution}: name a resolution that it has")
        return images / resolution
    return next((images / name for name in _RESOLUTIONS if (images / name).is_dir()), images)


def _masks(root, images):
    if not (root / "Annotations").is_dir() and root.name.endswith(_DENSE):
        root = root.with_name(root.name[: -len(_DENSE)])
    masks = root / "Annotations"
    return masks / images.name if images.name != "JPEGImages" else masks


def _split(root, split):
    lists = sorted(
        (root / "ImageSets").glob(f"*/{split}.txt"),
        reverse=True,
        key=lambda path: (path.parent.name.isdecimal(), path.parent.name),
    )
    if not lists:
        raise InputError(
            f"{root} has no list ImageSets/*/{split}.txt: name a split that is there, "
            "or none to take every video"
        )
    # DAVIS 2016 lists pairs of files, one pair a line.
    words = [line.split()[0] for line in lists[0].read_text().splitlines() if line.strip()]
    return list(dict.fromkeys(word.split("/")[-2] if "/" in word else word for word in words))


def _video(name, images, masks):
    frames = sorted(
        (
            path
            for path in images.iterdir()
            if path.suffix.lower() in _PICTURES and not path.name.startswith(".")
        ),
        key=lambda path: natural(path.name),
    )
    if not frames:
        raise InputError(f"clip {name} in {images.parent} has no frames; expected {name}/*.jpg")
    files = {path.stem: path for path in masks.glob("*.png")}
    found = {i: files[path.stem] for i, path in enumerate(frames) if path.stem in files}
    return VideoFiles(name, tuple(frames), found)


@functools.lru_cache(maxsize=16)
def _listed(folder):
    """The videos of a `Folder` that can be trained on or evaluated: those with a mask."""
    found = videos(folder.root, folder.names, split=folder.split, resolution=folder.resolution)
    return tuple(video for video in found if video.masks) or tuple(found)


@functools.lru_cache(maxsize=16)
def _meta(root):
    path = pathlib.Path(root) / "meta.json"
    if not path.is_file():
        return {}
    try:
        return {
            name: {int(i): entry for i, entry in video["objects"].items()}
            for name, video in json.loads(path.read_text())["videos"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no YouTube-VOS meta.json ({error!r}): correct it or remove it"
        ) from error


@functools.lru_cache(maxsize=8192)
def _header(folder, index):
    video = _listed(folder)[index]
    size = decode.size(video.frames[0].read_bytes(), name=str(video.frames[0]))
    seen = {}
    for t, path in video.masks.items():
        labels = read_mask(path)
        if labels.shape != size:
            raise InputError(
                f"{path} is {labels.shape[1]}x{labels.shape[0]}, its frame "
                f"{size[1]}x{size[0]}: masks must have the size of the frames"
            )
        counts = np.bincount(labels.reshape(-1), minlength=256)
        seen[t] = {int(i): int(counts[i]) for i in np.flatnonzero(counts[:255]) if i}
    ids = sorted(set().union(*seen.values())) if seen else []
    areas = np.full((len(video.frames), len(ids)), -1)
    for t, found in seen.items():
        areas[t] = [found.get(i, 0) for i in ids]
    objects = _meta(folder.root).get(video.name, {})
    stems = [path.stem for path in video.frames]
    named = {stem for entry in objects.values() for stem in entry.get("frames", ())}
    return protocol.Header(
        video.name,
        tuple(stems),
        size,
        0.0,
        np.array(ids, int),
        tuple(objects.get(i, {}).get("category", "") for i in ids),
        areas,
        tuple(i for i, stem in enumerate(stems) if stem in named),
    )
