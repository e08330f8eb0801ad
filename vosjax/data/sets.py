"""The data sets of a config: prepared datasets, plain folders of videos, or photos with masks."""

import dataclasses
import importlib
import pathlib
import pkgutil
import re

from vosjax.data import photos, recipes
from vosjax.datasets import folders
from vosjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
    """One data set.

    folder      a dataset that `data_prep` prepared; or a folder in DAVIS or YouTube-VOS layout; or
                one with images/ and masks/
    split       of a prepared dataset, or a list in the folder's ImageSets; None: 'train' of a
                prepared one, every video of a folder
    weight      its share among the sets; None: its number of videos or photos times `repeat`, as
                if the sets were joined end to end
    repeat      how often it counts (5 for DAVIS, which is small)
    gap         AOT: largest distance of two frames, in annotated frames: 3 at 6 per second
    thin        STCN: an annotated frame is every `thin`-th of the full rate (5 in YouTube-VOS)
    resolution  of a folder in DAVIS layout; None: 480p if it has one
    only        regular expression found in the names of the videos or photos that are taken, of a
                plain folder; '' takes all
    """

    folder: str
    split: str | None = None
    weight: float | None = None
    repeat: float = 1.0
    gap: int = 3
    thin: int = 1
    resolution: str | None = None
    only: str = ""


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
        InputError: a set cannot be opened, no set weighs anything, or there is no such recipe.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(recipes.__path__))
    if config.recipe not in names:
        raise InputError(
            f"there is no recipe {config.recipe!r} for clips: there are {', '.join(names)}"
        )
    recipe = importlib.import_module(f"vosjax.data.recipes.{config.recipe}")
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
            make = recipe.of_photos if of_photos else recipe.of_videos
            out.append((weight, make(source, each, config)))
    total = sum(weight for weight, _ in out)
    if config.sets and not total:
        raise InputError("no data set weighs anything: give one a positive weight")
    return [(config.sets_weight * weight / total, source) for weight, source in out]
