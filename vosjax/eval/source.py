"""What a config's `eval` selects of a dataset: its videos, and its list of categories."""

import os
from typing import Any

from vosjax.datasets import catalog, folders
from vosjax.eval import videos
from vosjax.eval.config import EvalConfig

Meta = dict[str, Any]  # the content of a meta.json


def discover(data: str | os.PathLike[str], options: EvalConfig) -> list[videos.EvalVideo]:
    """The videos of a dataset that a config's `eval` selects.

        videos = discover("DAVIS", EvalConfig())

    Args:
        data: a dataset's folder or name, see `catalog.find`.
        options: the config's `eval`, see `videos.discover`.

    Raises:
        InputError: as `videos.discover`.
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
    """The categories as YouTube-VOS's meta.json names them; None for a dataset by DAVIS's rules.

        categories = meta("YTB/valid", EvalConfig())

    Raises:
        InputError: no such dataset, or a damaged meta.json.
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
