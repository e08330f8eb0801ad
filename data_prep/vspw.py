"""VSPW: `data/VIDEO/{origin/*.jpg,mask/*.png}`, lists `train.txt`, `val.txt`, `test.txt`.

The annotation is semantic: the value of a pixel is a class 1..124; 0 is void and ignored, as is
255. In the config `classes` each class region is one object, so that there are no tracking errors,
but two people are one object. In `components` the connected components of a region are objects,
which are tracked from frame to frame by overlap; where that is ambiguous, pixels are ignored.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from data_prep import builder, components, records, report, schema
from data_prep.pictures import LabelMap
from vosjax.datasets import layout
from vosjax.datasets.decode import IGNORE, Labels
from vosjax.errors import InputError
from vosjax.io.content import load_json

_VOID = (0, IGNORE)
_PUBLISHED = dict(train=2_806, val=343, test=387)


class Builder(builder.FolderBuilder):
    """VSPW as videos."""

    name = "vspw"
    TEXT = "VSPW: video scene parsing in the wild, class regions as objects."
    SPLITS = ("train", "val", "test")
    FEATURES = schema.VIDEO
    BUILDER_CONFIGS = [
        builder.Config("classes", "Each class region is an object.", components=False),
        builder.Config("components", "Each connected part is an object.", components=True),
    ]

    def units(self, split: str) -> list[builder.Unit]:
        path = self.find(f"{split}.txt")
        data = self.find("data")
        kinds = self._kinds()
        return [
            (name, dict(folder=str(data / name), kinds=kinds, masks=split != "test"))
            for name in builder.listed(path)
        ]

    def _kinds(self) -> dict[int, str]:
        path = self.source / "label_num_dic_final.json"
        if not path.is_file():
            return {}
        try:
            kinds = load_json(path, name=str(path))
            return {int(number): str(name) for name, number in kinds.items()}
        except InputError:
            raise
        except (ValueError, AttributeError, TypeError) as error:
            raise InputError(
                f"{path} is no list of classes ({error!r}): expected name -> number"
            ) from error

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        folder = pathlib.Path(unit["folder"])
        files = layout.video_files(name, folder / "origin", folder / "mask")
        expected = [file.stem for file in files.frames] if unit["masks"] else ()
        kinds = {i: unit["kinds"].get(i, f"class {i}") for i in range(1, 125)}
        if not self.builder_config.components:
            yield from records.video(
                files, notes, fps=15.0, expected=expected, categories=kinds, change=_regions
            )
            return
        follow = components.Follow()
        numbered = records.video(
            files,
            notes,
            fps=15.0,
            expected=expected,
            change=lambda labels: follow(_regions(labels)),
        )
        for record in list(numbered):  # all records first, as classes are only known at the end
            classes = [follow.classes[int(i)] for i in record["ids"]]
            yield dict(
                record,
                source_ids=np.array(classes, np.int32),
                categories=[kinds[i] for i in classes],
            )

    def published(self, split: str) -> dict[str, int]:
        return {"videos found": _PUBLISHED[split]}


def _regions(labels: LabelMap) -> Labels:
    return np.where(np.isin(labels, _VOID), IGNORE, labels).astype(np.uint8)
