"""DAVIS: `{JPEGImages,Annotations}/RESOLUTION/SEQUENCE/00000.*`, lists in `ImageSets`.

Lists are `ImageSets/2017/SPLIT.txt` with a name a line, or (2016) `ImageSets/480p/SPLIT.txt` with
pairs of files. In 2016 all objects are one. Of test-dev and test-challenge only the first masks
are public.
"""

import pathlib

import numpy as np

from data_prep import builder, pictures, schema
from data_prep.errors import SourceError

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


class Builder(builder.FolderBuilder, skip_registration=True):
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

    def units(self, split):
        year, size = self.builder_config.year, self.builder_config.size
        sizes = ("480p",) if size == "480p" else ("Full-Resolution", "1080p")
        root = self.source / "DAVIS" if (self.source / "DAVIS").is_dir() else self.source
        found = next((s for s in sizes if (root / "JPEGImages" / s).is_dir()), None)
        if found is None:
            raise SourceError(
                f"{root} has no JPEGImages/{' or '.join(sizes)}: it is no folder of "
                f"DAVIS in {size} resolution"
            )
        images, masks = (root / kind / found for kind in ("JPEGImages", "Annotations"))
        name = split.replace("_", "-")
        lists = [root / "ImageSets" / part / f"{name}.txt" for part in (str(year), found)]
        path = next((path for path in lists if path.is_file()), None)
        if path is None:
            raise SourceError(
                f"there is no list {lists[0]}: take another split, or unpack DAVIS again"
            )
        return [
            (
                sequence,
                dict(
                    images=str(images / sequence),
                    masks=str(masks / sequence),
                    dense=split in ("train", "val"),
                ),
            )
            for sequence in sequences(path.read_text())
        ]

    def records(self, name, unit, notes):
        files = pictures.listing(pathlib.Path(unit["images"]))
        yield from builder.folder_video(
            name,
            files,
            pathlib.Path(unit["masks"]),
            notes,
            fps=24.0,
            expected=[file.stem for file in files] if unit["dense"] else (),
            change=_one_object if self.builder_config.year == 2016 else None,
        )

    def published(self, split):
        return _PUBLISHED[self.builder_config.year].get(split, {})


def sequences(text):
    """The sequence names of a list, in order, of names or of pairs of files."""
    words = [line.split()[0] for line in text.splitlines() if line.strip()]
    return list(dict.fromkeys(word.split("/")[-2] if "/" in word else word for word in words))


def _one_object(labels):
    return (labels > 0).astype(np.uint8)
