"""YouTube-VOS: the folders `{train,valid,test}`; `vosjax.datasets.layout` describes their layout.

The `*_all_frames` configs use the frames in `SPLIT_all_frames/JPEGImages` (30 per second) with the
masks and the listed frames of the sparse release (6 per second). In valid and test only frames in
which a new object appears have a mask, which shows the new objects only.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

from data_prep import builder, records, report, schema
from vosjax.datasets import layout
from vosjax.errors import InputError

_PUBLISHED = {
    2018: dict(train=3_471, valid=474, test=508),
    2019: dict(train=3_471, valid=507, test=541),
}


class Builder(builder.FolderBuilder):
    """YouTube-VOS as videos."""

    name = "youtube_vos"
    TEXT = "YouTube-VOS: objects in videos from the web."
    SPLITS = ("train", "valid", "test")
    FEATURES = schema.VIDEO
    BUILDER_CONFIGS = [
        builder.Config(
            f"{year}{'_all_frames' * dense}",
            f"Release of {year}, {'30' if dense else '6'} frames per second.",
            year=year,
            dense=dense,
        )
        for year in (2019, 2018)
        for dense in (False, True)
    ]

    def units(self, split: str) -> list[builder.Unit]:
        parts = layout.find(self.find(split), all_frames=self.builder_config.dense)
        meta = layout.read_meta(parts.root)
        if meta is None:
            raise InputError(f"there is no {parts.root / 'meta.json'}: unpack the dataset again")
        return [
            (
                name,
                dict(
                    images=str(parts.images / name),
                    masks=str(parts.masks / name),
                    dense=split == "train",
                    objects=meta[name],
                ),
            )
            for name in sorted(meta)
        ]

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        objects: dict[int, layout.MetaObject] = unit["objects"]
        listed = sorted({frame for entry in objects.values() for frame in entry.frames})
        files = layout.video_files(name, pathlib.Path(unit["images"]), pathlib.Path(unit["masks"]))
        stems = {file.stem for file in files.frames}
        for frame in listed:
            if frame not in stems:
                notes.add(report.DAMAGED, f"{name}/{frame} (no picture)")
        yield from records.video(
            files,
            notes,
            fps=30.0 if self.builder_config.dense else 6.0,
            categories={i: entry.category for i, entry in objects.items()},
            announced=objects,
            expected=listed if unit["dense"] else (),
            listed=listed,
        )

    def published(self, split: str) -> dict[str, int]:
        return {"videos found": _PUBLISHED[self.builder_config.year][split]}
