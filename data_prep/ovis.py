"""OVIS: `annotations_train.json` (or in `annotations/`), `train/VIDEO/img_0000001.jpg`.

Only train has masks. A video may have more objects than a network has slots; clips then show a
random choice of them.
"""

import pathlib

from data_prep import tracks

_PUBLISHED = dict(
    train={"videos found": 607}, valid={"videos found": 140}, test={"videos found": 154}
)


class Builder(tracks.TracksBuilder):
    """OVIS as videos."""

    name = "ovis"
    TEXT = "OVIS: tracks of heavily occluded instances of 25 classes."
    SPLITS = ("train", "valid", "test")

    def files(self, split: str) -> tuple[pathlib.Path, pathlib.Path]:
        names = (f"annotations_{split}.json", f"{split}.json", f"ovis_{split}.json")
        path = self.find(*names, *(f"annotations/{name}" for name in names))
        return path, self.find(split, f"{split}/JPEGImages", f"JPEGImages/{split}")

    def published(self, split: str) -> dict[str, int]:
        return _PUBLISHED[split]
