"""Selects the videos and the categories of a dataset by a config's `eval`."""

import os
from typing import Any

from vosjax.datasets import catalog, folders
from vosjax.eval import videos
from vosjax.eval.config import EvalConfig

Meta = dict[str, Any]  # the content of a meta.json


def discover(data: str | os.PathLike[str], options: EvalConfig) -> list[videos.EvalVideo]:
    """Finds the videos of a dataset that a config's `eval` selects.

        videos = discover("DAVIS", EvalConfig())

    Args:
        data: a dataset's folder or name, see `catalog.find`.
        options: the config's `eval`.

    Raises:
        InputError: the dataset is missing or incomplete, see `videos.discover`.
    """
    return videos.discover(
        data,
        split=options.split,
        year=options.year,
        resolution=options.resolution,
        names=options.names or None,
        all_frames=options.all_frames,
    )


def meta(data: str | os.PathLike[str], options: EvalConfig) -> Meta | None:
    """Returns the categories of objects in the form of YouTube-VOS's meta.json.

        categories = meta("YTB/valid", EvalConfig())

    Args:
        data: a dataset's folder or name, see `catalog.find`.
        options: the config's `eval`.

    Returns:
        {"videos": {name: {"objects": {id: {"category": name}}}}}, or None if the dataset has no
        categories and follows the rules of DAVIS.

    Raises:
        InputError: there is no such dataset, or its meta.json is damaged.
    """
    folder = catalog.find(data)
    if catalog.is_prepared(folder):
        source = catalog.open_videos(folder, split=options.split)
        headers = [source.header(number) for number in range(len(source))]
        categories = {
            header.name: {key: entry.category for key, entry in header.announced.items()}
            for header in headers
        }
        if not any(categories.values()):
            return None
    else:
        root = folders.Folder(str(folder), all_frames=options.all_frames).parts.root
        if not (root / "meta.json").is_file():
            return None
        categories = {
            name: {key: entry.category for key, entry in objects.items()}
            for name, objects in videos.read_meta(root).items()
        }
    return {
        "videos": {
            name: {"objects": {str(key): {"category": kind} for key, kind in objects.items()}}
            for name, objects in categories.items()
        }
    }
