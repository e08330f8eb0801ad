"""DAVIS 2016 and 2017, as unpacked; `vosjax.datasets.layout` describes the layout.

In 2016 all objects count as one. In test-dev and test-challenge only the first masks are public.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

from data_prep import builder, records, report, schema
from data_prep.pictures import LabelMap
from vosjax.datasets import layout
from vosjax.errors import InputError

_PUBLISHED = {
    2016: dict(
        train={"videos found": 30, "frames": 2_079}, val={"videos found": 20, "frames": 1_376}
    ),
    2017: dict(
        train={"videos found": 60},
        val={"videos found": 30},
        test_dev={"videos found": 30},
        test_challenge={"videos found": 30},
    ),
}


class Builder(builder.FolderBuilder):
    """DAVIS as videos."""

    name = "davis"
    TEXT = "DAVIS: densely annotated videos at 24 frames per second."
    SPLITS = ("train", "val", "test_dev", "test_challenge")
    FEATURES = schema.VIDEO
    PER_SHARD = 10
    BUILDER_CONFIGS = [
        builder.Config(f"{year}_{size}", f"Release of {year}, {size}.", year=year, size=size)
        for year in (2017, 2016)
        for size in ("480p", "full")
    ]

    def units(self, split: str) -> list[builder.Unit]:
        size = self.builder_config.size
        root = self.source / "DAVIS" if (self.source / "DAVIS").is_dir() else self.source
        resolutions = ("480p",) if size == "480p" else ("Full-Resolution", "1080p")
        resolution = next(
            (name for name in resolutions if (root / "JPEGImages" / name).is_dir()), None
        )
        if resolution is None:
            raise InputError(
                f"{root} has no JPEGImages/{' or '.join(resolutions)}: it is no folder of "
                f"DAVIS in {size} resolution"
            )
        parts = layout.find(root, resolution=resolution)
        names = layout.split_names(parts, split.replace("_", "-"), year=self.builder_config.year)
        return [
            (
                name,
                dict(
                    images=str(parts.images / name),
                    masks=str(parts.masks / name),
                    dense=split in ("train", "val"),
                ),
            )
            for name in names
        ]

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        files = layout.video_files(name, pathlib.Path(unit["images"]), pathlib.Path(unit["masks"]))
        yield from records.video(
            files,
            notes,
            fps=24.0,
            expected=[file.stem for file in files.frames] if unit["dense"] else (),
            change=_one_object if self.builder_config.year == 2016 else None,
        )

    def published(self, split: str) -> dict[str, int]:
        return _PUBLISHED[self.builder_config.year].get(split, {})


def _one_object(labels: LabelMap) -> LabelMap:
    return (labels > 0).astype("uint8")
