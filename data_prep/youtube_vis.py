"""YouTube-VIS 2019 (`train.json`, `train/JPEGImages`) and 2021 (`train/instances.json`).

Videos have the names of YouTube-VOS, and videos of its validation set may be among them. Exclude
these (`--exclude valid/meta.json`) before training a network that is scored there. Only train has
masks.
"""

import pathlib

from data_prep import builder, tracks

_PUBLISHED = {
    2019: dict(train=2_238, valid=302, test=343),
    2021: dict(train=2_985, valid=421, test=453),
}


class Builder(tracks.TracksBuilder):
    """YouTube-VIS as videos."""

    name = "youtube_vis"
    TEXT = "YouTube-VIS: instance tracks of 40 classes."
    SPLITS = ("train", "valid", "test")
    BUILDER_CONFIGS = [
        builder.Config(str(year), f"Release of {year}.", year=year) for year in (2021, 2019)
    ]

    def files(self, split: str) -> tuple[pathlib.Path, pathlib.Path]:
        path = self.find(
            f"{split}/instances.json",
            f"{split}.json",
            f"annotations/{split}.json",
            f"instances_{split}.json",
        )
        return path, self.find(f"{split}/JPEGImages", f"JPEGImages/{split}", "JPEGImages")

    def published(self, split: str) -> dict[str, int]:
        return {"videos found": _PUBLISHED[self.builder_config.year][split]}
