"""The source for datasets that `data_prep` prepared (array_record, by TFDS, without TensorFlow).

Pictures and masks are stored as they were downloaded. A video is stored in several records of a few
frames each, and only records with the frames that are asked for are read. Importing this module
imports TFDS, which takes a second, so `catalog` does it only for a prepared dataset.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from vosjax.datasets.protocol import Announced, Encoded, Header, IntArray, MaskSummary, Origin
from vosjax.errors import InputError, shown
from vosjax.io.names import check_name


@dataclasses.dataclass(frozen=True)
class Videos:
    """A split of a prepared dataset of videos as a source (see `datasets.protocol`).

        source = open_split("datasets/davis/2017_480p/1.0.0", "val")
        source.names  # ('bike-packing', 'blackswan', ...)

    Attributes:
        folder: the folder of the dataset's metadata, see `find`.
        split: its name.
    """

    folder: str
    split: str = "train"

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the videos.

        Raises:
            InputError: the dataset's metadata is damaged, or has a name that cannot be that of a
                video.
        """
        where = f"the prepared dataset {self.folder}"
        return tuple(check_name(name, where=where) for name, _ in self._videos)

    @functools.cached_property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The records of the split, by number; those of a video are consecutive."""
        return _records(self.folder, self.split)

    def __len__(self) -> int:
        """Returns the number of videos."""
        return len(self.names)

    def header(self, video: int) -> Header:
        """Returns what is known of a video, from its first record.

        Raises:
            InputError: the record is damaged, or belongs to another video.
        """
        if video not in self._headers:
            with _reading(self.folder):
                header = _header(self.records[int(self._first[video])])
                if (header.name, header.length) != (self.names[video], self._videos[video][1]):
                    raise ValueError(f"{self.names[video]} has the record of {header.name}")
            self._headers[video] = header
        return self._headers[video]

    def read(self, video: int, frames: Iterable[int], *, images: bool = True) -> list[Encoded]:
        """Reads frames of a video as they are stored, see `protocol.Source.read`."""
        indices = [int(t) for t in frames]
        first, chunk = int(self._first[video]), self._metadata["chunk"]
        numbers = sorted({t // chunk for t in indices})
        with _reading(self.folder):
            records = {number: self.records[first + number] for number in numbers}
            names = {t: records[t // chunk]["names"][t % chunk].decode() for t in indices}
        where = f"the prepared dataset {self.folder}, video {self.names[video]},"
        encoded = []
        for t in indices:
            record, at = records[t // chunk], t % chunk
            self._frame_names[video, t] = check_name(names[t], where=where)
            encoded.append(
                Encoded(
                    self._frame_names[video, t],
                    record["images"][at] if images else b"",
                    record["masks"][at],
                )
            )
        return encoded

    def locate(self, video: int, frame: int) -> Origin:
        """Returns names for the frame's image and mask, made of the video's and the frame's."""
        if (video, frame) not in self._frame_names:
            self.read(video, [frame], images=False)
        name = f"{self._frame_names[video, frame]} of {self.names[video]}"
        return Origin(name, f"mask {name}")

    @functools.cached_property
    def _metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = _info(self.folder).metadata
        return metadata

    @functools.cached_property
    def _videos(self) -> Sequence[tuple[str, int]]:
        """(name, number of frames) of the videos of the split."""
        with _reading(self.folder):
            if int(self._metadata["chunk"]) < 1:
                raise ValueError(f"chunks of {self._metadata['chunk']} frames")
            return [(name, int(length)) for name, length in self._metadata["videos"][self.split]]

    @functools.cached_property
    def _first(self) -> IntArray:
        """The number of each video's first record."""
        lengths = np.array([length for _, length in self._videos], int)
        records = -(-lengths // self._metadata["chunk"])
        return np.concatenate([[0], np.cumsum(records)[:-1]]).astype(int)

    @functools.cached_property
    def _headers(self) -> dict[int, Header]:
        return {}

    @functools.cached_property
    def _frame_names(self) -> dict[tuple[int, int], str]:
        """{(video, frame): name} of the frames read so far; records have names beside pictures."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Pickles the dataset's place, not its open files; other processes open them anew."""
        return dict(folder=self.folder, split=self.split)


@dataclasses.dataclass(frozen=True)
class Photos:
    """A split of a prepared dataset of stills; `photos[i]` is (image bytes, mask bytes).

    Attributes:
        folder: the folder of the dataset's metadata, see `find`.
        split: its name.
    """

    folder: str
    split: str = "train"

    @functools.cached_property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The records of the split, one for each still."""
        return _records(self.folder, self.split)

    def __len__(self) -> int:
        """Returns the number of stills."""
        return len(self.records)

    def __getitem__(self, index: int) -> tuple[bytes, bytes]:
        with _reading(self.folder):
            record = self.records[int(index)]
            return record["image"], record["mask"]

    def __getstate__(self) -> dict[str, Any]:
        """Pickles the same as that of `Videos`."""
        return dict(folder=self.folder, split=self.split)


def find(folder: str | os.PathLike[str]) -> str:
    """Returns the folder with a dataset's metadata, at or below a folder.

        find("datasets/davis")  # 'datasets/davis/2017_480p/1.0.0'

    Raises:
        InputError: there is none, or there are several.
    """
    root = pathlib.Path(folder)
    candidates = [root] if (root / "dataset_info.json").is_file() else _below(root)
    if len(candidates) != 1:
        names = ", ".join(str(path) for path in candidates[:4]) or "none"
        raise InputError(
            f"{folder} is expected to hold one prepared dataset, found {names}: name "
            "the folder of one version of one dataset"
        )
    return str(candidates[0])


def _below(folder: pathlib.Path) -> list[pathlib.Path]:
    files = [
        path
        for depth in ("*", "*/*", "*/*/*")
        for path in folder.glob(f"{depth}/dataset_info.json")
    ]
    return sorted(path.parent for path in files)


def open_split(folder: str | os.PathLike[str], split: str | None = None) -> Videos | Photos:
    """Opens a split of a prepared dataset of videos or stills.

        source = open_split("datasets/youtube_vos/2019/1.0.0", "train")

    Args:
        folder: the dataset, as in `find`.
        split: name of the split; None if there is only one.

    Raises:
        InputError: there is no such dataset or split, or `data_prep` did not prepare it.
    """
    folder = find(folder)
    info = _info(folder)
    splits = list(info.splits)
    if split is None and len(splits) > 1:
        raise InputError(
            f"{folder} has the splits {', '.join(splits)}: name one of them "
            "(by --config.eval.split)"
        )
    split = splits[0] if split is None else split
    if split not in splits:
        raise InputError(f"{folder} has no split {split!r}: it has {', '.join(splits)}")
    names = set(info.features)
    if {"video", "images", "masks", "areas"} <= names:
        return Videos(folder, split)
    if {"image", "mask", "areas"} <= names:
        return Photos(folder, split)
    raise InputError(
        f"{folder} holds {', '.join(sorted(names))}: prepare the dataset with `python -m data_prep`"
    )


@contextlib.contextmanager
def _reading(folder: str) -> Iterator[None]:
    """Turns whatever TFDS and array_record raise for damaged files into one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"the prepared dataset {folder} cannot be read ({shown(error)}): it is damaged, "
            "prepare it again"
        ) from error


def _info(folder: str) -> tfds.core.DatasetInfo:
    with _reading(folder):
        return tfds.builder_from_directory(folder).info


def _records(folder: str, split: str) -> Sequence[Mapping[str, Any]]:
    with _reading(folder):
        records: Sequence[Mapping[str, Any]] = tfds.builder_from_directory(folder).as_data_source(
            split
        )
    return records


def _header(record: Mapping[str, Any]) -> Header:
    length, ids = int(record["frames"]), np.asarray(record["ids"], int)
    size = int(record["height"]), int(record["width"])
    name = record["video"].decode()
    areas = np.asarray(record["areas"], int).reshape(length, len(ids))
    listed = tuple(int(t) for t in record["listed"])
    categories = [category.decode() for category in record["categories"]]

    def summarize(frame: int) -> MaskSummary:
        shown = np.flatnonzero(areas[frame] > 0)
        pixels = {int(ids[n]): int(areas[frame, n]) for n in shown}
        return MaskSummary(f"mask {frame} of {name}", size, pixels)

    return Header(
        name=name,
        length=length,
        annotated=tuple(np.flatnonzero((areas >= 0).any(1)).tolist()),
        measure=lambda: size,
        summarize=summarize,
        fps=float(record["fps"]),
        listed=listed,
        announced={int(key): Announced(category, 0) for key, category in zip(ids, categories)},
        released=listed or tuple(range(length)),
    )
