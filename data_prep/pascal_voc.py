"""PASCAL VOC 2012: `JPEGImages`, palette `SegmentationObject`, `ImageSets/Segmentation`.

Pixels of 255 (boundaries of objects and difficult regions) are ignored. The lists `train` and `val`
together are the 2,913 images of `trainval`, which AOT's pre-training uses.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from data_prep import builder, pictures, records, report, schema
from vosjax.errors import InputError

_CLASSES = (
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor"
).split()


class Builder(builder.FolderBuilder):
    """PASCAL VOC 2012 object segmentation as stills."""

    name = "pascal_voc"
    TEXT = "PASCAL VOC 2012: instance masks of the segmentation images."
    SPLITS = ("train", "val")
    PER_SHARD = 500

    def units(self, split: str) -> list[builder.Unit]:
        root = self.find("VOCdevkit/VOC2012", "VOC2012", "JPEGImages")
        root = root.parent if root.name == "JPEGImages" else root
        path = root / "ImageSets/Segmentation" / f"{split}.txt"
        if not path.is_file():
            raise InputError(f"there is no list {path}: unpack VOC 2012 again")
        return [
            (
                stem,
                dict(
                    image=str(root / "JPEGImages" / f"{stem}.jpg"),
                    mask=str(root / "SegmentationObject" / f"{stem}.png"),
                    classes=str(root / "SegmentationClass" / f"{stem}.png"),
                ),
            )
            for stem in builder.listed(path)
        ]

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        image, mask, classes = (_bytes(unit[key]) for key in ("image", "mask", "classes"))
        if image is None:
            notes.add(report.DAMAGED, name)
            return
        categories = _categories(mask, classes)
        yield from records.still(name, image, mask, notes, categories=categories)

    def published(self, split: str) -> dict[str, int]:
        return {"stills found": dict(train=1_464, val=1_449)[split]}


def _bytes(path: str) -> bytes | None:
    file = pathlib.Path(path)
    return pictures.content(file) if file.is_file() else None


def _categories(mask: bytes | None, classes: bytes | None) -> dict[int, str]:
    """Returns {id: class name} from both masks; {} if a mask is missing or damaged."""
    if mask is None or classes is None:
        return {}
    ids, kinds = pictures.labels_of(mask), pictures.labels_of(classes)
    if ids is None or kinds is None or ids.shape != kinds.shape:
        return {}
    categories = {}
    for i in np.unique(ids):
        kind = int(np.bincount(kinds[ids == i]).argmax())
        if 0 < i < 255 and 0 < kind <= len(_CLASSES):
            categories[int(i)] = _CLASSES[kind - 1]
    return categories
