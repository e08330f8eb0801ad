"""COCO 2017: `{train2017,val2017}/*.jpg`, `annotations/instances_{train,val}2017.json`.

AOT's pre-training uses both splits as AFB-URR converts them (arXiv 2010.07958): annotations below
500 square pixels are dropped, a later one covers an earlier one, ids are consecutive, and an image
without objects is skipped. The first config differs in one respect: crowds (one mask for many
objects) are ignored pixels instead of an object.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep import builder, masks, pictures, records, report, schema
from vosjax.errors import InputError
from vosjax.io.content import load_json
from vosjax.io.names import check_path

_LEAST = 500  # square pixels, by the annotation's own `area`
_MOST = 254


class Builder(builder.FolderBuilder):
    """COCO 2017 instances as stills."""

    name = "coco"
    TEXT = "COCO 2017 instance masks as label maps."
    SPLITS = ("train", "val")
    PER_SHARD = 1000
    BUILDER_CONFIGS = [
        builder.Config("crowds_ignored", "Pixels of crowd annotations are 255.", crowds=False),
        builder.Config("crowds_kept", "A crowd is an object, as in AFB-URR.", crowds=True),
    ]

    def units(self, split: str) -> list[builder.Unit]:
        folder = self.find(f"{split}2017", f"images/{split}2017")
        path = self.find(f"annotations/instances_{split}2017.json")
        masks.coco()  # fails now if it is not installed, rather than for every annotation
        try:
            data = load_json(path, name=str(path))
            names = {entry["id"]: entry["name"] for entry in data["categories"]}
            stills: dict[int, tuple[str, list[dict[str, Any]]]] = {
                image["id"]: (check_path(image["file_name"], where=path), [])
                for image in data["images"]
            }
            for entry in data["annotations"]:
                stills[entry["image_id"]][1].append(
                    dict(
                        segmentation=entry["segmentation"],
                        area=entry["area"],
                        crowd=bool(entry.get("iscrowd")),
                        id=entry["id"],
                        category=names[entry["category_id"]],
                    )
                )
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} is no file of COCO instances ({error!r}): download it again"
            ) from error
        return [
            (file, dict(image=str(folder / file), annotations=annotations))
            for _, (file, annotations) in sorted(stills.items())
        ]

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        image = pictures.content(unit["image"])
        if not unit["annotations"]:
            notes.add(report.MISSING, name)
            return
        size = pictures.size_if_whole(image)
        if size is None:
            notes.add(report.DAMAGED, name)
            return
        labels, categories = self._painted(name, unit["annotations"], size, notes)
        yield from records.still(name, image, labels, notes, categories=categories)

    def _painted(
        self,
        name: str,
        annotations: list[dict[str, Any]],
        size: pictures.HeightWidth,
        notes: report.Notes,
    ) -> tuple[npt.NDArray[np.uint8], dict[int, str]]:
        """Paints a label map uint8 [H, W] of consecutive ids; returns it and {id: category}."""
        labels = np.zeros(size, np.uint8)
        categories: dict[int, str] = {}
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
            except InputError:
                notes.add(report.DAMAGED_MASK, where)
                continue
            if entry["crowd"] and not self.builder_config.crowds:
                labels[mask & (labels == 0)] = 255
                continue
            categories[len(categories) + 1] = entry["category"]
            labels[mask] = len(categories)
        visible = set(np.unique(labels).tolist())
        for i in sorted(set(categories) - visible):
            notes.add(report.EMPTY, f"{name} object {i} ({categories[i]})")
        return labels, categories

    def published(self, split: str) -> dict[str, int]:
        return {"stills found": dict(train=118_287, val=5_000)[split]}
