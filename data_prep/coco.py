"""COCO 2017: `{train2017,val2017}/*.jpg`, `annotations/instances_{train,val}2017.json`.

AOT's pre-training takes both splits as AFB-URR converts them (arXiv 2010.07958): annotations below
500 square pixels are dropped, a later one covers an earlier one, ids count up, and an image with
nothing left is skipped. The first config differs in one thing: crowds (one mask for many objects)
are ignored pixels, not an object.
"""

import json

import numpy as np

from data_prep import builder, masks, report
from data_prep.errors import SourceError

_LEAST = 500  # square pixels, by the annotation's own `area`
_MOST = 254


class Builder(builder.FolderBuilder, skip_registration=True):
    """COCO 2017 instances as stills."""

    name = "coco"
    TEXT = "COCO 2017 instance masks as label maps."
    SPLITS = ("train", "val")
    PER_SHARD = 1000
    BUILDER_CONFIGS = [
        builder.Config("crowds_ignored", "Pixels of crowd annotations are 255.", crowds=False),
        builder.Config("crowds_kept", "A crowd is an object, as in AFB-URR.", crowds=True),
    ]

    def units(self, split):
        folder = self.find(f"{split}2017", f"images/{split}2017")
        path = self.find(f"annotations/instances_{split}2017.json")
        try:
            data = json.loads(path.read_text())
            names = {entry["id"]: entry["name"] for entry in data["categories"]}
            found = {image["id"]: (image["file_name"], []) for image in data["images"]}
            for entry in data["annotations"]:
                found[entry["image_id"]][1].append(
                    dict(
                        segmentation=entry["segmentation"],
                        area=entry["area"],
                        crowd=bool(entry.get("iscrowd")),
                        id=entry["id"],
                        category=names[entry["category_id"]],
                    )
                )
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(
                f"{path} is no file of COCO instances ({error!r}): download it again"
            ) from error
        return [
            (file, dict(image=str(folder / file), annotations=annotations))
            for _, (file, annotations) in sorted(found.items())
        ]

    def records(self, name, unit, notes):
        try:
            with open(unit["image"], "rb") as file:
                image = file.read()
        except OSError:
            notes.add(report.DAMAGED, name)
            return
        if not unit["annotations"]:
            notes.add(report.MISSING, name)
            return
        size = builder.pictures.size_if_whole(image)
        if size is None:
            notes.add(report.DAMAGED, name)
            return
        labels, categories = self._painted(name, unit["annotations"], size, notes)
        yield from builder.still_record(name, image, labels, notes, categories=categories)

    def _painted(self, name, annotations, size, notes):
        """Label map uint8 [H, W] and {id: category}; ids count up over the objects that stay."""
        labels, categories = np.zeros(size, np.uint8), {}
        for entry in annotations:
            where = f"{name} annotation {entry['id']}"
            if entry["area"] < _LEAST:
                notes.add(report.SMALL, where)
                continue
            if entry["crowd"] and not self.builder_config.crowds:
                notes.add(report.CROWD, where)
            elif len(categories) == _MOST:
                notes.add(report.MANY, where)
                continue
            try:
                mask = masks.from_segmentation(entry["segmentation"], size)
            except SourceError:
                notes.add(report.DAMAGED_MASK, where)
                continue
            if entry["crowd"] and not self.builder_config.crowds:
                labels[mask & (labels == 0)] = 255
                continue
            categories[len(categories) + 1] = entry["category"]
            labels[mask] = len(categories)
        seen = set(np.unique(labels).tolist())
        for i in sorted(set(categories) - seen):
            notes.add(report.EMPTY, f"{name} object {i} ({categories[i]})")
        return labels, categories

    def published(self, split):
        return {"stills found": dict(train=118_287, val=5_000)[split]}
