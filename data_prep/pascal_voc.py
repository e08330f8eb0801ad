"""PASCAL VOC 2012: `JPEGImages`, palette `SegmentationObject`, `ImageSets/Segmentation`.

Pixels of 255 (object boundaries and difficult regions) are ignored ones. The lists `train` and
`val` together are the 2,913 images of `trainval` that AOT's pre-training takes.
"""

import pathlib

import numpy as np

from data_prep import builder, pictures
from data_prep.errors import SourceError

_CLASSES = (
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor"
).split()


class Builder(builder.FolderBuilder, skip_registration=True):
    """PASCAL VOC 2012 object segmentation as stills."""

    name = "pascal_voc"
    TEXT = "PASCAL VOC 2012: instance masks of the segmentation images."
    SPLITS = ("train", "val")
    PER_SHARD = 500

    def units(self, split):
        root = self.find("VOCdevkit/VOC2012", "VOC2012", "JPEGImages")
        root = root.parent if root.name == "JPEGImages" else root
        path = root / "ImageSets/Segmentation" / f"{split}.txt"
        if not path.is_file():
            raise SourceError(f"there is no list {path}: unpack VOC 2012 again")
        return [
            (
                stem,
                dict(
                    image=str(root / "JPEGImages" / f"{stem}.jpg"),
                    mask=str(root / "SegmentationObject" / f"{stem}.png"),
                    classes=str(root / "SegmentationClass" / f"{stem}.png"),
                ),
            )
            for stem in path.read_text().split()
        ]

    def records(self, name, unit, notes):
        image, mask, classes = (_bytes(unit[key]) for key in ("image", "mask", "classes"))
        if image is None:
            notes.add(builder.report.DAMAGED, name)
            return
        yield from builder.still_record(
            name, image, mask, notes, categories=_categories(mask, classes)
        )

    def published(self, split):
        return {"stills found": dict(train=1_464, val=1_449)[split]}


def _bytes(path):
    path = pathlib.Path(path)
    return path.read_bytes() if path.is_file() else None


def _categories(mask, classes):
    """{id: class name} from the two masks; {} where the class mask is missing."""
    if mask is None or classes is None:
        return {}
    ids, kinds = pictures.ids_of(mask), pictures.ids_of(classes)
    if ids is None or kinds is None or ids.shape != kinds.shape:
        return {}
    found = {}
    for i in np.unique(ids):
        kind = int(np.bincount(kinds[ids == i]).argmax())
        if 0 < i < 255 and 0 < kind <= len(_CLASSES):
            found[int(i)] = _CLASSES[kind - 1]
    return found
