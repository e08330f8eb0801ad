"""Finds a dataset by its folder or its name, and opens it as a source of videos."""

import os
import pathlib

from vosjax.datasets import folders, layout
from vosjax.datasets.protocol import Source
from vosjax.errors import InputError


def find(data: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the folder `data`, or the folder of the prepared dataset with that name.

        find("davis")  # ~/tensorflow_datasets/davis

    Names are looked up in $TFDS_DATA_DIR, or else in ~/tensorflow_datasets.

    Raises:
        InputError: neither exists.
    """
    prepared_below = os.environ.get("TFDS_DATA_DIR") or pathlib.Path.home() / "tensorflow_datasets"
    named = pathlib.Path(prepared_below) / str(data)
    for folder in (pathlib.Path(os.path.expanduser(data)), named):
        if folder.is_dir():
            return folder
    raise InputError(
        f"there is no dataset {data}: it is no dataset folder (with JPEGImages and Annotations), "
        f"no prepared dataset's folder, and not the name of one in {named.parent}"
    )


def is_prepared(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a folder holds a prepared dataset, itself or up to three levels below.

    is_prepared("DAVIS")    # False
    """
    folder = pathlib.Path(folder)
    return not layout.is_layout(folder) and any(
        next(folder.glob(f"{depth}dataset_info.json"), None)
        for depth in ("", "*/", "*/*/", "*/*/*/")
    )


def open_videos(
    data: str | os.PathLike[str],
    *,
    split: str | None = None,
    year: int | None = None,
    resolution: str | None = None,
    all_frames: bool = False,
) -> Source:
    """Opens a dataset of videos.

        source = open_videos("DAVIS", split="val", year=2017, resolution="480p")
        source = open_videos("youtube_vos", split="valid")  # prepared

    Args:
        data: the dataset, as in `find`.
        split: the split of a prepared dataset, which may be left out if there is only one; or a
            list in a folder's ImageSets, without which all videos are taken.
        year: year of that list, see `layout.split_names`.
        resolution: for a folder in DAVIS layout, see `layout.find`.
        all_frames: for a folder in YouTube-VOS layout, see `layout.find`.

    Raises:
        InputError: the dataset does not exist, is not one of videos, or has no such split.
    """
    folder = find(data)
    if not is_prepared(folder):
        return folders.Folder(str(folder), None, split, year, resolution, all_frames)
    from vosjax.datasets import prepared  # imports TFDS, which plain folders do not need

    source = prepared.open_split(folder, split)
    if isinstance(source, prepared.Photos):
        raise InputError(f"{source.folder} holds stills: name a dataset of videos")
    return source
