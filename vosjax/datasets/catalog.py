"""Finds a dataset by its folder or its name, and opens it as a source of videos."""

import os
import pathlib

from vosjax.datasets import folders, layout
from vosjax.datasets.protocol import Source
from vosjax.errors import InputError


def find(data: str | os.PathLike[str]) -> pathlib.Path:
    """The folder that `data` is, or the folder of the prepared dataset of that name.

        find("davis")  # ~/tensorflow_datasets/davis

    Names are looked up below $TFDS_DATA_DIR, else ~/tensorflow_datasets.

    Raises:
        InputError: neither is there.
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
    """Whether a folder holds a prepared dataset, in itself or up to three levels below."""
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
        data: as `find` takes it.
        split: of a prepared dataset, which may be left out where there is only one; or a list in a
            folder's ImageSets, without which every video is taken.
        year: of that list, see `layout.split_names`.
        resolution: of a folder in DAVIS layout, see `layout.find`.
        all_frames: of a folder in YouTube-VOS layout, see `layout.find`.

    Raises:
        InputError: nothing is there, it is no dataset of videos, or it has no such split.
    """
    folder = find(data)
    if not is_prepared(folder):
        return folders.Folder(str(folder), None, split, year, resolution, all_frames)
    from vosjax.datasets import prepared  # imports TFDS, which plain folders do without

    source = prepared.open_split(folder, split)
    if isinstance(source, prepared.Photos):
        raise InputError(f"{source.folder} holds stills: name a dataset of videos")
    return source
