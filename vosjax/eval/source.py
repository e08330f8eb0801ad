"""Where a dataset run gets its videos: a plain folder, or a prepared dataset by folder or name."""

import os
import pathlib

from vosjax.errors import InputError
from vosjax.eval import layout
from vosjax.eval.config import EvalConfig


def find(data) -> pathlib.Path:
    """The folder that `data` is, or the prepared dataset of that name.

    Names are looked up below $TFDS_DATA_DIR, else ~/tensorflow_datasets.

    Raises:
      InputError: neither is there.
    """
    place = pathlib.Path(data).expanduser()
    named = pathlib.Path(
        os.environ.get("TFDS_DATA_DIR") or pathlib.Path.home() / "tensorflow_datasets"
    ) / str(data)
    for folder in (place, named):
        if folder.is_dir():
            return folder
    raise InputError(
        f"there is no dataset {data}: name a folder with JPEGImages and Annotations, "
        f"a prepared dataset's folder, or the name of one in {named.parent}"
    )


def is_prepared(place) -> bool:
    """Whether `data_prep` made what lies in a folder."""
    place = pathlib.Path(place)
    return not (place / "JPEGImages").is_dir() and any(
        next(place.glob(f"{depth}dataset_info.json"), None)
        for depth in ("", "*/", "*/*/", "*/*/*/")
    )


def discover(data, wanted: EvalConfig) -> list[layout.EvalVideo]:
    """The sequences of a dataset, as `config.eval` selects them."""
    place, names = find(data), wanted.names or None
    if is_prepared(place):
        from vosjax.eval import prepared  # imports TFDS, which plain folders do without

        return prepared.sequences(place, split=wanted.split, names=names)
    return layout.discover(
        place,
        split=wanted.split,
        year=wanted.year,
        names=names,
        resolution=wanted.resolution,
        all_frames=wanted.all_frames,
    )


def meta(data, wanted: EvalConfig) -> dict | None:
    """The content of YouTube-VOS's meta.json for a dataset, None for one by the rules of DAVIS."""
    place = find(data)
    if is_prepared(place):
        from vosjax.eval import prepared

        return prepared.meta(place, split=wanted.split)
    if wanted.all_frames or place.name.endswith("_all_frames"):
        place = place.with_name(place.name.removesuffix("_all_frames"))
    return layout.read_meta(place) if (place / "meta.json").is_file() else None
