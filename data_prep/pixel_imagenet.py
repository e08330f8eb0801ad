"""Pixel-ImageNet (Zhang et al., CVPR 2020): masks `masks/WNID/NAME.png` over ImageNet's photos.

The photos are ImageNet's training images in `images/WNID/NAME.JPEG` (`images` may be a link to the
`train` folder). The value of a pixel is the index of its instance; all instances in a photo are of
the photo's class.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

from data_prep import builder, pictures, records, report, schema
from vosjax.datasets import layout

_PHOTOS = (".JPEG", ".jpg", ".jpeg")  # their endings


class Builder(builder.FolderBuilder):
    """Pixel-ImageNet as stills."""

    name = "pixel_imagenet"
    TEXT = "Pixel-ImageNet: instance masks of ImageNet photos."
    SPLITS = ("train",)
    PER_SHARD = 2000

    def units(self, split: str) -> list[builder.Unit]:
        photos = self.find("images", "train")
        folders = sorted(path for path in self.find("masks").iterdir() if path.is_dir())
        return [
            (f"{folder.name}/{path.stem}", self._unit(photos / folder.name / path.stem, path))
            for folder in folders
            for path in layout.listing(folder, (".png",))
        ]

    def _unit(self, photo: pathlib.Path, mask: pathlib.Path) -> dict[str, Any]:
        return dict(photos=[f"{photo}{ending}" for ending in _PHOTOS], mask=str(mask))

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        kind = name.split("/")[0]
        files = [path for path in unit["photos"] if pathlib.Path(path).is_file()]
        if not files:
            notes.add(report.DAMAGED, f"{name} (no photo)")
            return
        yield from records.still(
            name,
            pictures.content(files[0]),
            pictures.content(unit["mask"]),
            notes,
            categories=dict.fromkeys(range(1, 255), kind),
        )
