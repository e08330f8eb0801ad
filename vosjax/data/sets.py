"""The data sets of a config: prepared datasets, plain folders of videos, or photos with masks."""

import dataclasses
import importlib
import pathlib
import pkgutil
import re

from vosjax.data import photos, samplers
from vosjax.data.config import DatasetConfig
from vosjax.datasets import folders
from vosjax.errors import InputError


def opened(each, root=""):
    """(source, whether it is of photos) of a `Set`; `root` is where relative folders stand.

    Raises:
        InputError: the folder is missing or of no known kind; no such split; `only` is no regular
            expression, fits no name, or is asked of a prepared dataset.
    """
    folder = pathlib.Path(root) / each.folder
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder}: correct the set's folder, or the root of the sets"
        )
    if folders.is_layout(folder):
        source = folders.Folder(str(folder), split=each.split, resolution=each.resolution)
        if each.only:
            names = _chosen(each, [source.header(i).name for i in range(len(source))])
            source = dataclasses.replace(source, names=tuple(names))
        return source, False
    if (folder / "images").is_dir():
        pairs = photos.pairs(folder)
        if each.only:
            chosen = set(_chosen(each, [pathlib.Path(image).stem for image, _ in pairs]))
            pairs = tuple(pair for pair in pairs if pathlib.Path(pair[0]).stem in chosen)
        return pairs, True
    from vosjax.datasets import prepared  # imports TFDS, which takes a second

    if not prepared.is_prepared(folder):
        raise InputError(
            f"{folder} is no data set: expected a prepared one (dataset_info.json), "
            "JPEGImages and Annotations, or images and masks"
        )
    if each.only:
        raise InputError(
            f"the set {folder} is prepared, and its videos cannot be chosen by name: "
            "leave `only` away, or prepare the ones that are wanted"
        )
    source = prepared.opened(folder, each.split or "train")
    return source, isinstance(source, prepared.Photos)


def of_config(config):
    """The `Set`s of a `pipeline.ClipsConfig`, which may be dicts of their fields there."""
    return [
        each if isinstance(each, DatasetConfig) else DatasetConfig(**dict(each))
        for each in config.sets
    ]


def _chosen(each, names):
    """The names in which `each.only` is found."""
    try:
        found = [name for name in names if re.search(each.only, name)]
    except re.error as error:
        raise InputError(
            f"the set {each.folder} takes only {each.only!r}, which is no regular "
            f"expression: {error}"
        ) from error
    if not found:
        raise InputError(
            f"the set {each.folder} takes only {each.only!r}, which is found in no "
            f"name; names look like {names[0]!r}"
        )
    return found


def weighted(config):
    """The (weight, source of clips) pairs of the sets of a `pipeline.ClipsConfig`.

    The weights add up to `config.sets_weight`.

    Raises:
        InputError: a set cannot be opened, no set weighs anything, or there is no such sampler.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(samplers.__path__))
    if config.sampler not in names:
        raise InputError(
            f"there is no sampler {config.sampler!r} of clips: there are {', '.join(names)}"
        )
    sampler = importlib.import_module(f"vosjax.data.samplers.{config.sampler}")
    out = []
    for each in of_config(config):
        source, of_photos = opened(each, config.root)
        if isinstance(source, folders.Folder) and not source.annotated():
            raise InputError(
                f"{source.root} has no mask at all: training needs Annotations/VIDEO/"
                "FRAME.png of the frames' names"
            )
        weight = len(source) * each.repeat if each.weight is None else each.weight
        if weight > 0:
            make = sampler.of_photos if of_photos else sampler.of_videos
            out.append((weight, make(source, each, config)))
    total = sum(weight for weight, _ in out)
    if config.sets and not total:
        raise InputError("no data set weighs anything: give one a positive weight")
    return [(config.sets_weight * weight / total, source) for weight, source in out]
