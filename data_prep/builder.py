"""What all builders share: a TFDS builder that reads a source folder unit by unit.

A unit is a video or a still, with everything except its picture files that is needed to make its
records; units can be sent to other processes. The file of a dataset (`data_prep/NAME.py`) has a
class `Builder` that says which splits there are, which units they have, and how records are made
from a unit (`records.py`).
"""

import os
import pathlib
from collections.abc import Collection, Iterator
from typing import Any

import tensorflow_datasets as tfds

from data_prep import report, schema
from vosjax.errors import InputError
from vosjax.io.content import load_text
from vosjax.io.names import check_name

Unit = tuple[str, Any]  # (name, what `FolderBuilder.records` needs to make its records)


def listed(path: pathlib.Path) -> list[str]:
    """Reads the names in a list of a dataset, such as `train.txt`.

    Raises:
        InputError: the list cannot be read, or has an entry that is no valid name.
    """
    names = load_text(path, name=str(path)).split()
    return [check_name(name, where=path) for name in names]


class Config(tfds.core.BuilderConfig):
    """A variant of a dataset: `name` and `description` as in TFDS, and settings as attributes."""

    def __init__(self, name: str, description: str, **settings: Any) -> None:
        super().__init__(name=name, description=description)
        for key, value in settings.items():
            setattr(self, key, value)


class FolderBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A TFDS builder over a downloaded folder; it writes array_record and needs no TensorFlow.

    Subclasses set `name`, `VERSION`, `SPLITS`, `FEATURES` and `TEXT`, and `BUILDER_CONFIGS` and
    `PER_SHARD` if needed, and define `units`, `records` and `published`.
    """

    name = "folder"
    VERSION = tfds.core.Version("1.0.0")
    SPLITS: tuple[str, ...] = ()
    FEATURES = schema.STILL
    TEXT = ""
    PER_SHARD = 32  # units per shard
    url_infos = None  # nothing is downloaded; TFDS would look for checksums

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(skip_registration=True, **kwargs)  # TFDS has its own davis

    def __init__(
        self,
        *,
        source: str | os.PathLike[str],
        data_dir: str | os.PathLike[str] | None = None,
        config: str | None = None,
        exclude: Collection[str] = (),
        **kwargs: Any,
    ) -> None:
        """Makes a builder without reading anything.

        Args:
            source: the downloaded folder.
            data_dir: the folder of TFDS datasets.
            config: name of the variant; None takes the first one.
            exclude: names of units to leave out.
            **kwargs: further arguments of TFDS.
        """
        self.source = pathlib.Path(source)
        self.exclude = frozenset(exclude)
        self._listed: dict[str, list[Unit]] = {}  # by split, as listing may read a large JSON
        super().__init__(data_dir=data_dir, config=config, file_format="array_record", **kwargs)

    def units(self, split: str) -> list[Unit]:
        """Lists the units of a split in a fixed order.

        Raises:
            InputError: the folder lacks something that is needed to read the split.
        """
        raise InputError(f"{self.name} has no split {split}")

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        """Yields the records of a unit, dicts of `FEATURES`, and notes what is left out."""
        yield from ()

    def published(self, split: str) -> dict[str, int]:
        """Returns {what: number} as published: videos or stills, frames, objects; {} if unknown."""
        return {}

    def chosen(self, split: str, notes: report.Notes) -> list[Unit]:
        """Lists the `units` of a split that are not excluded; excluded ones are added to `notes`.

        Raises:
            InputError: there is no such split, it is empty, or two units have the same name.
        """
        if split not in self.SPLITS:
            raise InputError(f"{self.name} has no split {split!r}: it has {', '.join(self.SPLITS)}")
        units = self._units(split)
        if not units:
            raise InputError(
                f"{self.source} holds nothing of {self.name}'s split {split}: "
                "unpack the dataset again"
            )
        names = [name for name, _ in units]
        if len(set(names)) < len(names):
            duplicate = next(name for name in names if names.count(name) > 1)
            raise InputError(
                f"{self.source} has two units named {duplicate} in split {split}: "
                "unpack the dataset again"
            )
        for name in names:
            if name in self.exclude:
                notes.add(report.OVERLAP, name)
        return [unit for unit in units if unit[0] not in self.exclude]

    def find(self, *candidates: str) -> pathlib.Path:
        """Returns the first of some paths below the source that exists.

        Raises:
            InputError: none exists; the message names them.
        """
        for candidate in candidates:
            if (self.source / candidate).exists():
                return self.source / candidate
        raise InputError(
            f"{self.source} is not a folder of {self.name}: expected "
            f"{' or '.join(map(str, candidates))} in it"
        )

    def present(self) -> list[str]:
        """Lists the splits that the source holds."""
        return [split for split in self.SPLITS if self._has(split)]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.TEXT,
            features=self.FEATURES,
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(chunk=schema.CHUNK, videos={}),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {split: self._generate_examples(split) for split in self.present()}

    def _units(self, split: str) -> list[Unit]:
        if split not in self._listed:
            self._listed[split] = self.units(split)
        return self._listed[split]

    def _has(self, split: str) -> bool:
        try:
            return bool(self._units(split))
        except InputError:
            return False

    def _generate_examples(self, split: str) -> Iterator[tuple[int, schema.Record]]:
        notes, key = report.Notes(), 0
        for name, unit in self.chosen(split, notes):
            for record in self.records(name, unit, notes):
                if record.get("start") == 0:
                    self.info.metadata["videos"].setdefault(split, []).append(
                        [record["video"], record["frames"]]
                    )
                yield key, record
                key += 1
