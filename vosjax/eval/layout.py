"""What a dataset folder holds for evaluation: sequences, given masks, objects' starts, truth.

Layouts: DAVIS (`JPEGImages/480p/SEQ/FRAME.jpg`, `Annotations/480p/SEQ/FRAME.png`, lists in
`ImageSets`), the same without resolution and lists, and YouTube-VOS (`JPEGImages/VIDEO/FRAME.jpg`,
`Annotations`, `meta.json`; `FOLDER_all_frames` beside it holds every frame at 30 per second).
"""

import collections
import json
import pathlib
from typing import NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.eval.protocols import VOID
from vosjax.eval.stored import open_picture
from vosjax.io.palette import read_label_png
from vosjax.io.video import natural

_IMAGES = (".jpg", ".jpeg", ".png")


class EvalVideo(NamedTuple):
    """One video of a dataset; frames are named by their index in `frames`.

    frames: image files in order (paths, or `stored.Stored`). masks: {index: file} of the label maps
    a tracker is given. starts: {object id: index of the frame whose mask gives it}. scored: indices
    that the dataset scores (some objects may start later). truths: {index: file} of every annotated
    frame, None where the truth is not public. written: indices whose predictions a server wants.
    """

    name: str
    frames: tuple
    masks: dict
    starts: dict
    scored: tuple
    truths: dict | None
    written: tuple


def discover(folder, *, split=None, year=2017, resolution="480p", names=None, all_frames=False):
    """The sequences of a dataset folder, whichever of the layouts it has.

    Args:
        folder: has JPEGImages and Annotations; with meta.json (or named `*_all_frames`) it is
            YouTube-VOS, otherwise DAVIS.
        split: DAVIS: the list `ImageSets/YEAR/SPLIT.txt`; None: every sequence with images.
        year: DAVIS: 2017, or 2016 whose masks are merged into one object when they are scored.
        resolution: DAVIS: the folder between JPEGImages and the sequences, if there is one.
        names: only these sequences, in this order.
        all_frames: YouTube-VOS: frames from the folder's `_all_frames` neighbour, masks, scored and
            written frames as without it.

    Raises:
        InputError: not such a folder; a list or meta.json that names what is not there; a frame
            missing; a first mask without objects or without one that meta.json announces.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InputError(f"there is no dataset folder {folder}")
    if all_frames or folder.name.endswith("_all_frames") or (folder / "meta.json").is_file():
        return _youtube(folder, names, all_frames)
    return _davis(folder, split, year, resolution, names)


def read_given(sequence, index, *, year=2017):
    """The label map given at frame `index`, uint8 [H, W]: only objects that start there.

    A dense annotation of a later frame also shows objects that run already; their truth must not be
    given away. 255 is background (DAVIS 2016: every id is object 1).
    """
    labels = read_label_png(open_picture(sequence.masks[index]))
    if year == 2016:
        return (labels != 0).view(np.uint8)
    starting = [key for key, start in sequence.starts.items() if start == index]
    return np.where(np.isin(labels, starting), labels, 0).astype(np.uint8)


def truths(sequences):
    """{name: {frame name: truth file}} for `scoring.score`, of the sequences that have truth."""
    return {
        sequence.name: {
            sequence.frames[i].stem: file for i, file in sorted(sequence.truths.items())
        }
        for sequence in sequences
        if sequence.truths is not None
    }


def _davis(folder, split, year, resolution, names):
    images, masks = (_subfolder(folder, kind, resolution) for kind in ("JPEGImages", "Annotations"))
    if names is None and split is not None:
        names = _split(folder, split, year)
    return [
        _davis_sequence(name, images / name, masks / name, year) for name in _chosen(images, names)
    ]


def _subfolder(folder, kind, resolution):
    root = folder / kind
    if not root.is_dir():
        raise InputError(
            f"{folder} has no folder {kind}: expected a DAVIS folder (JPEGImages, "
            "Annotations) or a YouTube-VOS folder (with meta.json besides)"
        )
    return root / resolution if (root / resolution).is_dir() else root


def _split(folder, split, year):
    lists = [folder / "ImageSets" / part / f"{split}.txt" for part in (str(year), "480p")]
    found = [file for file in (lists if year == 2016 else lists[:1]) if file.is_file()]
    if not found:
        raise InputError(
            f"there is no list {lists[0]}: name a split that is there, or none to "
            "take every sequence"
        )
    # DAVIS 2016 lists pairs of files, /JPEGImages/480p/SEQ/00000.jpg /Annotations/..., one a line.
    lines = [line.split()[0] for line in found[0].read_text().splitlines() if line.strip()]
    return list(dict.fromkeys(line.split("/")[-2] if "/" in line else line for line in lines))


def _chosen(images, names):
    there = sorted(path.name for path in images.iterdir() if path.is_dir() and path.name[0] != ".")
    if names is None:
        names = there
    absent = [name for name in names if name not in set(there)]
    if absent or not names:
        raise InputError(
            f"{images} has no sequence {', '.join(absent[:3]) or 'at all'}: unpack "
            "the dataset again, or name sequences that are there"
        )
    return names


def _files(folder, endings):
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}: unpack the dataset again")
    files = sorted(
        (
            path
            for path in folder.iterdir()
            if path.suffix.lower() in endings and path.name[0] != "."
        ),
        key=lambda path: natural(path.name),
    )
    if not files:
        raise InputError(f"{folder} is empty: expected frames named {'/'.join(endings)}")
    return tuple(files)


def _frames(folder):
    files = _files(folder, _IMAGES)
    numbers = [int(file.stem) for file in files if file.stem.isdecimal()]
    steps = [b - a for a, b in zip(numbers, numbers[1:])]
    if len(numbers) == len(files) and steps:
        # A regular numbering with a rare hole is a lost file; an irregular one is the data's own.
        step, count = collections.Counter(steps).most_common(1)[0]
        holes = [a for a, b in zip(numbers, numbers[1:]) if b - a > step]
        if holes and count >= 0.8 * len(steps):
            width = len(files[0].stem)
            raise InputError(
                f"{folder} has no frame {holes[0] + step:0{width}d} between "
                f"{holes[0]:0{width}d} and the next one: unpack the dataset again"
            )
    return files


def _annotations(folder, frames, images):
    index = {file.stem: i for i, file in enumerate(frames)}
    files = {}
    for file in _files(folder, (".png",)):
        if file.stem not in index:
            raise InputError(
                f"{file} has no frame {file.stem} in {images}: unpack the dataset again"
            )
        files[index[file.stem]] = file
    return files


def _davis_sequence(name, images, masks, year):
    frames = _frames(images)
    files = _annotations(masks, frames, images)
    if 0 not in files:
        raise InputError(
            f"{masks} has no mask of the first frame {frames[0].stem}: DAVIS gives "
            "the objects there"
        )
    first = read_label_png(files[0])
    ids = (
        [1]
        if year == 2016 and first.any()
        else [int(key) for key in np.unique(first) if key not in (0, VOID)]
    )
    if not ids:
        raise InputError(f"{files[0]} shows no object: the first mask must")
    if len(frames) > len(files) > len(frames) / 2:
        lost = next(i for i in range(len(frames)) if i not in files)
        raise InputError(
            f"{masks} has no mask {frames[lost].stem}.png though {len(files)} of "
            f"{len(frames)} frames have one: unpack the dataset again"
        )
    annotated = tuple(sorted(files))
    return EvalVideo(
        name,
        frames,
        {0: files[0]},
        dict.fromkeys(ids, 0),
        annotated[1:-1],
        files if len(files) > 1 else None,
        tuple(range(len(frames))),
    )


def _youtube(folder, names, all_frames):
    sparse = folder
    if folder.name.endswith("_all_frames"):
        all_frames, sparse = True, folder.with_name(folder.name[: -len("_all_frames")])
    root = sparse.with_name(sparse.name + "_all_frames") if all_frames else sparse
    for path in (root / "JPEGImages", sparse / "Annotations", sparse / "meta.json"):
        if not path.exists():
            raise InputError(
                f"there is no {path}: a YouTube-VOS folder has JPEGImages, "
                "Annotations and meta.json (all frames: JPEGImages in "
                "FOLDER_all_frames)"
            )
    videos = read_meta(sparse)["videos"]
    names = list(videos) if names is None else names
    unknown = [name for name in names if name not in videos]
    if unknown:
        raise InputError(
            f"{sparse / 'meta.json'} does not name {', '.join(unknown[:3])}: name "
            "videos that it has"
        )
    return [
        _youtube_sequence(name, videos[name]["objects"], root, sparse)
        for name in _chosen(root / "JPEGImages", names)
    ]


def read_meta(folder):
    """The content of a YouTube-VOS folder's meta.json; InputError if it is not one."""
    path = pathlib.Path(folder) / "meta.json"
    try:
        meta = json.loads(path.read_text())
        for video in meta["videos"].values():
            if not video["objects"]:
                raise ValueError("a video without objects")
            for key, entry in video["objects"].items():
                int(key), entry["category"], entry["frames"][0]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"{path} is no YouTube-VOS meta.json ({error!r}): expected videos -> id "
            "-> objects -> id -> category and frames"
        ) from error
    return meta


def _youtube_sequence(name, objects, root, sparse):
    images = root / "JPEGImages" / name
    frames = _frames(images)
    index = {file.stem: i for i, file in enumerate(frames)}
    files = _annotations(sparse / "Annotations" / name, frames, images)
    listed = sorted({frame for entry in objects.values() for frame in entry["frames"]})
    lost = [frame for frame in listed if frame not in index]
    if lost:
        raise InputError(
            f"{images} lacks frame {lost[0]}, which meta.json lists: unpack the dataset again"
        )
    starts, shown = {}, {}
    for key, entry in objects.items():
        starts[int(key)] = _first_shown(name, int(key), index[entry["frames"][0]], files, shown)
    scored = tuple(sorted(index[frame] for frame in listed))
    first = min(starts.values())
    dense = set(scored) <= set(files)
    return EvalVideo(
        name,
        frames,
        {i: files[i] for i in sorted(set(starts.values()))},
        starts,
        tuple(i for i in scored if i > first),
        files if dense else None,
        _written(sparse / "JPEGImages" / name, index, scored),
    )


def _first_shown(name, key, announced, files, shown):
    # meta.json is at times early: the object then starts where a later annotation first shows it.
    for i in sorted(i for i in files if i >= announced):
        if i not in shown:
            shown[i] = set(np.unique(read_label_png(files[i])).tolist())
        if key in shown[i]:
            return i
    raise InputError(
        f"video {name}: meta.json announces object {key}, but no mask in Annotations "
        "from its first frame on shows it: unpack the dataset again"
    )


def _written(sparse_images, index, scored):
    # Servers want the frames of the sparse release, also where all frames were tracked.
    if not sparse_images.is_dir():
        return scored
    return tuple(index[file.stem] for file in _files(sparse_images, _IMAGES) if file.stem in index)
