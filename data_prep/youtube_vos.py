"""YouTube-VOS: `{train,valid,test}/{JPEGImages,Annotations}/VIDEO/00005.*` and `meta.json`.

The `*_all_frames` configs take the frames at 30 per second of `SPLIT_all_frames/JPEGImages` with
the masks and the listed frames of the sparse release (6 per second). In valid and test only the
frames in which an object appears have a mask, which shows only what is new.
"""

import json
import pathlib

from data_prep import builder, pictures, report, schema
from data_prep.errors import SourceError

_PUBLISHED = {
    2018: dict(train=3_471, valid=474, test=508),
    2019: dict(train=3_471, valid=507, test=541),
}


class Builder(builder.FolderBuilder, skip_registration=True):
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

    def units(self, split):
        sparse = self.find(split)
        dense = self.builder_config.dense
        images = (self.find(f"{split}_all_frames") if dense else sparse) / "JPEGImages"
        path = sparse / "meta.json"
        try:
            videos = json.loads(path.read_text())["videos"]
            return [
                (
                    name,
                    dict(
                        images=str(images / name),
                        masks=str(sparse / "Annotations" / name),
                        dense=split == "train",
                        objects={
                            int(i): (entry.get("category", ""), entry["frames"])
                            for i, entry in videos[name]["objects"].items()
                        },
                    ),
                )
                for name in sorted(videos)
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(
                f"{path} is no YouTube-VOS meta.json ({error!r}): expected videos -> "
                "name -> objects -> id -> category, frames"
            ) from error

    def records(self, name, unit, notes):
        listed = sorted({frame for _, frames in unit["objects"].values() for frame in frames})
        files = pictures.listing(pathlib.Path(unit["images"]))
        stems = {file.stem for file in files}
        for frame in listed:
            if frame not in stems:
                notes.add(report.DAMAGED, f"{name}/{frame} (no picture)")
        yield from builder.folder_video(
            name,
            files,
            pathlib.Path(unit["masks"]),
            notes,
            fps=30.0 if self.builder_config.dense else 6.0,
            categories={i: category for i, (category, _) in unit["objects"].items()},
            announced=unit["objects"],
            expected=listed if unit["dense"] else (),
            listed=listed,
        )

    def published(self, split):
        return {"videos found": _PUBLISHED[self.builder_config.year][split]}
