"""What all builders share: a TFDS builder that reads a source folder unit by unit.

A unit is a video or a still, with all that is needed to make its records besides its picture
files; units can be handed to other processes. A dataset's file (`data_prep/NAME.py`) has a class
`Builder` that says which splits there are, which units they have, and how a unit becomes records.
"""

import pathlib

import tensorflow_datasets as tfds

from data_prep import masks, pictures, report, schema
from data_prep.errors import SourceError


class Config(tfds.core.BuilderConfig):
    """A variant of a dataset; `name` and `description` as in TFDS, and settings by name."""

    def __init__(self, name, description, **settings):
        super().__init__(name=name, description=description)
        for key, value in settings.items():
            setattr(self, key, value)


class FolderBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A TFDS builder over a folder as it was downloaded; writes array_record, needs no TensorFlow.

    Subclasses set `name`, `VERSION`, `SPLITS`, `FEATURES`, `TEXT`, maybe `BUILDER_CONFIGS` and
    `PER_SHARD`, and define `units`, `records` and `published`.

    Args:
        source: the folder.
        data_dir: where TFDS datasets lie.
        config: the variant's name; None: the first.
        exclude: names of units to leave out.
    """

    name = "folder"
    VERSION = tfds.core.Version("1.0.0")
    SPLITS: tuple = ()
    FEATURES = schema.STILL
    TEXT = ""
    PER_SHARD = 32  # units in a shard
    url_infos = None  # nothing is downloaded; TFDS would look for checksums

    def __init__(self, *, source, data_dir=None, config=None, exclude=(), **kwargs):
        self.source = pathlib.Path(source)
        self.exclude = frozenset(exclude)
        self._listed = {}  # units by split: reading them may mean a large JSON
        super().__init__(data_dir=data_dir, config=config, file_format="array_record", **kwargs)

    def units(self, split):
        """[(name, what `records` needs)] of a split, in a fixed order.

        Raises:
            SourceError: the folder lacks something without which the split cannot be read.
        """
        raise SourceError(f"{self.name} has no split {split}")

    def records(self, name, unit, notes):
        """Yields the records (dicts of `FEATURES`) of a unit; what is left out goes to `notes`."""
        yield from ()

    def published(self, split):
        """{what: number} as published: videos or stills, frames, objects; {} where unknown."""
        return {}

    def chosen(self, split, notes):
        """The `units` that are not excluded."""
        if split not in self.SPLITS:
            raise SourceError(
                f"{self.name} has no split {split!r}: it has {', '.join(self.SPLITS)}"
            )
        units = self._units(split)
        if not units:
            raise SourceError(
                f"{self.source} holds nothing of {self.name}'s split {split}: "
                "unpack the dataset again"
            )
        names = [name for name, _ in units]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SourceError(
                f"{self.source} has two units named {twice} in split {split}: "
                "unpack the dataset again"
            )
        for name in names:
            if name in self.exclude:
                notes.add(report.OVERLAP, name)
        return [unit for unit in units if unit[0] not in self.exclude]

    def find(self, *candidates):
        """The first of the candidate paths below the source that exists.

        Raises:
            SourceError: none does; names them.
        """
        for candidate in candidates:
            if (self.source / candidate).exists():
                return self.source / candidate
        raise SourceError(
            f"{self.source} is not a folder of {self.name}: expected "
            f"{' or '.join(map(str, candidates))} in it"
        )

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.TEXT,
            features=self.FEATURES,
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(chunk=schema.CHUNK, videos={}),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in self.present()}

    def present(self):
        """The splits that the source holds."""
        return [split for split in self.SPLITS if self._has(split)]

    def _units(self, split):
        if split not in self._listed:
            self._listed[split] = self.units(split)
        return self._listed[split]

    def _has(self, split):
        try:
            return bool(self._units(split))
        except SourceError:
            return False

    def _generate_examples(self, split):
        notes, key = report.Notes(), 0
        for name, unit in self.chosen(split, notes):
            for record in self.records(name, unit, notes):
                if record.get("start") == 0:
                    self.info.metadata["videos"].setdefault(split, []).append(
                        [record["video"], record["frames"]]
                    )
                yield key, record
                key += 1


def still_record(name, image, mask, notes, *, categories=None):
    """The record of a still as a list of one, or [] with a note of why it was left out.

    Args:
        name: of the still.
        image: encoded bytes.
        mask: encoded bytes of an 8-bit mask of ids, or a label map uint8 [H, W] to be encoded;
            None: it is missing.
        categories: {id: name}.
    """
    if mask is None:
        notes.add(report.MISSING, name)
        return []
    size = pictures.size_if_whole(image)
    if size is None:
        notes.add(report.DAMAGED, name)
        return []
    labels = pictures.ids_of(mask) if isinstance(mask, bytes) else mask
    if labels is None or labels.dtype == bool or labels.max(initial=0) > 255:
        notes.add(report.DAMAGED_MASK, name)
        return []
    if labels.shape != size:
        notes.add(report.SIZE, name)
        return []
    labels = labels.astype("uint8")
    areas = pictures.areas_of(labels)
    if not areas:
        notes.add(report.NOTHING, name)
        return []
    if not isinstance(mask, bytes):
        mask = masks.to_png(labels)
    return [
        schema.still(
            name, image=image, mask=mask, areas=areas, size=size, categories=categories or {}
        )
    ]


def frame(name, image, mask, notes, *, size, where):
    """A `schema.Frame`, or None with a note where the picture is damaged or of another size.

    Args:
        name: the frame's stem.
        image: encoded bytes.
        mask: encoded bytes of an 8-bit mask, a label map uint8 [H, W], or b'' for none; one that is
            damaged or of another size than the picture is noted and dropped.
        size: (height, width) of the video, None for its first frame.
        where: for the notes.

    Returns:
        (Frame or None, size).
    """
    found = pictures.size_if_whole(image)
    if found is None:
        notes.add(report.DAMAGED, where)
        return None, size
    if size is not None and found != size:
        notes.add(report.FRAME_SIZE, where)
        return None, size
    if isinstance(mask, bytes) and not mask:
        return schema.Frame(name, image, b"", {}), found
    labels = pictures.ids_of(mask) if isinstance(mask, bytes) else mask
    if labels is None or labels.max(initial=0) > 255:
        notes.add(report.DAMAGED_MASK, where)
        return schema.Frame(name, image, b"", {}), found
    if labels.shape != found:
        notes.add(report.SIZE, where)
        return schema.Frame(name, image, b"", {}), found
    labels = labels.astype("uint8")
    encoded = mask if isinstance(mask, bytes) else masks.to_png(labels)
    return schema.Frame(name, image, encoded, pictures.areas_of(labels)), found


def folder_video(
    name,
    files,
    masks_folder,
    notes,
    *,
    fps,
    categories=None,
    expected=(),
    announced=(),
    listed=(),
    change=None,
):
    """Yields the records of a video of picture files with masks of the same stem.

    Args:
        name: of the video.
        files: picture files in order of time.
        masks_folder: where STEM.png may lie.
        notes: takes what is left out.
        fps, categories, listed: as `schema.video`.
        announced: ids that some mask should show.
        expected: stems that must have a mask; a note is made where they have none.
        change: a function of a label map [H, W], applied to every mask in order; where it changes
            nothing the file's own bytes are kept.
    """
    frames, size, wanted = [], None, set(expected)
    for file in files:
        path, where = masks_folder / f"{file.stem}.png", f"{name}/{file.stem}"
        mask = path.read_bytes() if path.is_file() else b""
        if not mask and file.stem in wanted:
            notes.add(report.MISSING, where)
        image = file.read_bytes()
        if mask and change is not None:
            mask = _changed(mask, change, pictures.size_if_whole(image))
        made, size = frame(file.stem, image, mask, notes, size=size, where=where)
        if made is not None:
            frames.append(made)
    yield from video_records(
        name,
        frames,
        notes,
        size=size,
        fps=fps,
        categories=categories or {},
        announced=announced,
        listed=listed,
    )


def _changed(mask, change, size):
    labels = pictures.ids_of(mask)
    if labels is None or labels.shape != size:
        return labels
    new = change(labels)
    return mask if (new == labels).all() else new


def video_records(
    name, frames, notes, *, size, fps, categories, source_ids=None, announced=(), listed=()
):
    """`schema.video`, with notes of announced objects that no mask shows and of empty videos."""
    if not frames:
        notes.add(report.NOTHING, name)
        return
    seen = {i for each in frames for i in each.areas}
    for i in sorted(set(announced) - seen):
        notes.add(report.EMPTY, f"{name} object {i}")
    yield from schema.video(
        name,
        frames,
        size=size,
        fps=fps,
        categories=categories,
        source_ids=source_ids,
        listed=listed,
    )
