"""Reads datasets that `data_prep` prepared (array_record, by TFDS, no TensorFlow).

Pictures come back as the bytes that were stored. A video lies in several records of a few frames
each; only those that hold a wanted frame are read.
"""

import dataclasses
import functools
import pathlib

import numpy as np
import tensorflow_datasets as tfds

from vosjax.datasets import protocol as protocol
from vosjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Videos:
    """A split of prepared videos as a source (see `datasets.protocol`); `folder` as of `find`."""

    folder: str
    split: str = "train"

    def __len__(self):
        return len(_places(self.folder, self.split)[0])

    def header(self, index):
        """The `videos.Header`, read from the video's first record and remembered."""
        return _header(self.folder, self.split, int(index))

    def read(self, index, frames):
        """The `videos.Encoded` frames of these indices."""
        chunk = _info(self.folder).metadata["chunk"]
        first = int(_places(self.folder, self.split)[0][index])
        records = {}
        for place in sorted({int(t) // chunk for t in frames}):
            records[place] = _source(self.folder, self.split)[first + place]
        out = []
        for t in map(int, frames):
            record, at = records[t // chunk], t % chunk
            out.append(
                protocol.Encoded(
                    record["names"][at].decode(), record["images"][at], record["masks"][at]
                )
            )
        return out


@dataclasses.dataclass(frozen=True)
class Photos:
    """A split of prepared stills: `photos[i]` is (image bytes, mask bytes)."""

    folder: str
    split: str = "train"

    def __len__(self):
        return len(_source(self.folder, self.split))

    def __getitem__(self, index):
        record = _source(self.folder, self.split)[int(index)]
        return record["image"], record["mask"]


def find(folder):
    """The folder with the dataset's metadata, given it or a folder above with one dataset.

    Raises:
        InputError: there is none, or there are several.
    """
    folder = pathlib.Path(folder)
    found = (
        [folder]
        if (folder / "dataset_info.json").is_file()
        else sorted(
            path.parent
            for depth in ("*", "*/*", "*/*/*")
            for path in folder.glob(f"{depth}/dataset_info.json")
        )
    )
    if len(found) != 1:
        names = ", ".join(str(path) for path in found[:4]) or "none"
        raise InputError(
            f"{folder} is expected to hold one prepared dataset, found {names}: name "
            "the folder of one version of one dataset"
        )
    return str(found[0])


def is_prepared(folder):
    """Whether there is a prepared dataset in a folder or below it."""
    folder = pathlib.Path(folder)
    return any(
        next(folder.glob(f"{depth}dataset_info.json"), None)
        for depth in ("", "*/", "*/*/", "*/*/*/")
    )


def opened(folder, split):
    """`Videos` or `Photos`, whichever was prepared in `folder`.

    Raises:
        InputError: no such dataset or split, or one that `data_prep` did not prepare.
    """
    folder = find(folder)
    info = _info(folder)
    if split not in info.splits:
        raise InputError(f"{folder} has no split {split!r}: it has {', '.join(info.splits)}")
    names = set(info.features)
    if {"video", "images", "masks", "areas"} <= names:
        return Videos(folder, split)
    if {"image", "mask", "areas"} <= names:
        return Photos(folder, split)
    raise InputError(
        f"{folder} holds {', '.join(sorted(names))}: prepare the dataset with `python -m data_prep`"
    )


@functools.lru_cache(maxsize=64)
def _info(folder):
    return tfds.builder_from_directory(folder).info


@functools.lru_cache(maxsize=64)
def _source(folder, split):
    return tfds.builder_from_directory(folder).as_data_source(split)


@functools.lru_cache(maxsize=64)
def _places(folder, split):
    """(first record [V], frames [V]) of the videos of a split."""
    metadata = _info(folder).metadata
    counts = np.array([count for _, count in metadata["videos"][split]], int)
    records = -(-counts // metadata["chunk"])
    return np.concatenate([[0], np.cumsum(records)[:-1]]).astype(int), counts


@functools.lru_cache(maxsize=8192)
def _header(folder, split, index):
    record = _source(folder, split)[int(_places(folder, split)[0][index])]
    ids = np.asarray(record["ids"], int)
    return protocol.Header(
        record["video"].decode(),
        (),
        (int(record["height"]), int(record["width"])),
        float(record["fps"]),
        ids,
        tuple(name.decode() for name in record["categories"]),
        np.asarray(record["areas"], int).reshape(int(record["frames"]), len(ids)),
        tuple(int(i) for i in record["listed"]),
    )
