"""Opens the datasets of a config: prepared ones, plain folders of videos, photos with masks."""

import dataclasses
import importlib
import pathlib
import pkgutil
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from vosjax.data import photos, samplers
from vosjax.data.config import ClipsConfig, DatasetConfig
from vosjax.data.types import ClipSource
from vosjax.datasets import catalog, folders, layout
from vosjax.datasets.protocol import Source
from vosjax.errors import InputError


class Dataset(NamedTuple):
    """An open dataset: either a source of videos or a source of photos; the other one is None."""

    videos: Source | None
    photos: photos.PhotoSource | None


def open_dataset(dataset: DatasetConfig, root: str = "") -> Dataset:
    """Opens a dataset.

        open_dataset(DatasetConfig("DAVIS", split="train", repeat=5)).videos.names

    Args:
        dataset: the dataset's settings.
        root: folder that a relative `dataset.folder` is in.

    Raises:
        InputError: the folder is missing or of no known kind; there is no such split or no mask at
            all; `only` matches no name, or is set for a prepared dataset.
    """
    folder = pathlib.Path(root) / dataset.folder
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder}: correct the set's folder, or the root of the sets"
        )
    if layout.is_layout(folder):
        source = folders.annotated(
            folders.Folder(str(folder), split=dataset.split, resolution=dataset.resolution)
        )
        if dataset.only:
            names = tuple(_matching(dataset, source.names))
            source = dataclasses.replace(source, videos=names)
        return Dataset(source, None)
    if (folder / "images").is_dir():
        pairs = photos.pairs(folder)
        if dataset.only:
            chosen = set(_matching(dataset, [pathlib.Path(image).stem for image, _ in pairs]))
            pairs = tuple(pair for pair in pairs if pathlib.Path(pair[0]).stem in chosen)
        return Dataset(None, pairs)
    if not catalog.is_prepared(folder):
        raise InputError(
            f"{folder} is no data set: expected a prepared one (dataset_info.json), "
            "JPEGImages and Annotations, or images and masks"
        )
    if dataset.only:
        raise InputError(
            f"the set {folder} is prepared, and its videos cannot be chosen by name: "
            "leave `only` away, or prepare the ones that are wanted"
        )
    from vosjax.datasets import prepared  # imports TFDS, which takes about a second

    split = prepared.open_split(folder, dataset.split or "train")
    if isinstance(split, prepared.Photos):
        return Dataset(None, split)
    return Dataset(split, None)


def as_datasets(given: Sequence[Any]) -> list[DatasetConfig]:
    """Returns the datasets of a config, where they may also be given as dicts of their fields.

    as_datasets([dict(folder="YTB")])
    """
    return [
        dataset if isinstance(dataset, DatasetConfig) else DatasetConfig(**dict(dataset))
        for dataset in given
    ]


def weighted(config: ClipsConfig) -> list[tuple[float, ClipSource]]:
    """Opens the datasets of a config as sources of clips: (weight, source) pairs.

        pairs = weighted(config)

    The weights add up to `config.sets_weight`. A dataset of weight 0 is not opened, and may be
    missing.

    Raises:
        InputError: a dataset cannot be opened, none has a positive weight, or there is no such
            sampler.
    """
    names = sorted(
        module.name
        for module in pkgutil.iter_modules(samplers.__path__)
        if not module.name.startswith("_")
    )
    if config.sampler not in names:
        raise InputError(
            f"there is no sampler {config.sampler!r} of clips: there are {', '.join(names)}"
        )
    sampler = importlib.import_module(f"vosjax.data.samplers.{config.sampler}")
    sources: list[tuple[float, ClipSource]] = []
    for dataset in as_datasets(config.sets):
        if dataset.weight == 0:
            continue
        videos, stills = open_dataset(dataset, config.root)
        count = len(stills if videos is None else videos)  # type: ignore[arg-type]
        weight = count * dataset.repeat if dataset.weight is None else dataset.weight
        if weight > 0:
            source = (
                sampler.of_photos(stills, dataset, config)
                if videos is None
                else sampler.of_videos(videos, dataset, config)
            )
            sources.append((weight, source))
    total = sum(weight for weight, _ in sources)
    if config.sets and not total:
        raise InputError("no data set weighs anything: give one a positive weight")
    return [(config.sets_weight * weight / total, source) for weight, source in sources]


def _matching(dataset: DatasetConfig, names: Sequence[str]) -> list[str]:
    """Returns the names in which the regular expression `dataset.only` is found."""
    matching = [name for name in names if re.search(dataset.only, name)]
    if not matching:
        raise InputError(
            f"the set {dataset.folder} takes only {dataset.only!r}, which is found in no "
            f"name; names look like {names[0]!r}"
        )
    return matching
