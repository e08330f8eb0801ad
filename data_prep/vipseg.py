"""VIPSeg, the panoptic annotation of VSPW's videos: `imgs/VIDEO/*.jpg`, `panomasks/VIDEO/*.png`.

The value of a pixel in the 16-bit masks is a class below 125 (stuff), or class * 100 + instance
(things); 0 is void. The value 200 is a known error of the annotation and is ignored like void.
Objects are numbered 1..n in a video, and `source_ids` keeps the values of the source. The released
frames are every third of VSPW's 15 frames per second.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from data_prep import builder, masks, pictures, records, report, schema
from vosjax.datasets import layout
from vosjax.datasets.decode import IGNORE, Labels
from vosjax.errors import InputError

_STUFF = 125  # values below are classes, the others include an instance
_WRONG = 200
_PUBLISHED = dict(train=2_806, val=343, test=387)


class Builder(builder.FolderBuilder):
    """VIPSeg as videos, things and stuff as objects."""

    name = "vipseg"
    TEXT = "VIPSeg: panoptic masks of videos in the wild."
    SPLITS = ("train", "val", "test")
    FEATURES = schema.VIDEO
    BUILDER_CONFIGS = [
        builder.Config("things_and_stuff", "Stuff regions are objects too.", stuff=True),
        builder.Config("things", "Stuff is background.", stuff=False),
    ]

    def units(self, split: str) -> list[builder.Unit]:
        images, panoptic = self.find("imgs", "images"), self.find("panomasks")
        return [
            (
                name,
                dict(images=str(images / name), masks=str(panoptic / name), dense=split != "test"),
            )
            for name in builder.listed(self.find(f"{split}.txt"))
        ]

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        files = layout.video_files(name, pathlib.Path(unit["images"]), pathlib.Path(unit["masks"]))
        known: dict[int, int] = {}  # {the source's value: id}
        frames, size = [], None
        for t, file in enumerate(files.frames):
            where = f"{name}/{file.stem}"
            mask: bytes | Labels | None = b""
            if t in files.masks:
                values = pictures.labels_of(pictures.content(files.masks[t]))
                mask = None if values is None else self._renumbered(values, known, where, notes)
            elif unit["dense"]:
                notes.add(report.MISSING, where)
            frame, size = records.frame(
                file.stem, pictures.content(file), mask, notes, size=size, where=where
            )
            if frame is not None:
                frames.append(frame)
        yield from records.joined(
            name,
            frames,
            notes,
            size=size,
            fps=5.0,
            categories={i: _kind(value) for value, i in known.items()},
            source_ids={i: value for value, i in known.items()},
        )

    def _renumbered(
        self,
        values: pictures.LabelMap,
        known: dict[int, int],
        where: str,
        notes: report.Notes,
    ) -> Labels | None:
        """Converts values to a label map, uint8 [H, W]; adds new ones to `known` {value: id}."""
        values = values.astype(np.int32)
        if (values == _WRONG).any():
            notes.add(report.BUG, where)
        try:
            numbers, objects = masks.renumbered(values, void=(0, _WRONG))
        except InputError:
            notes.add(report.MANY, where)
            return None
        table = np.zeros(256, np.uint8)
        table[IGNORE] = IGNORE
        for number, value in objects.items():
            if value < _STUFF and not self.builder_config.stuff:
                continue
            if value not in known and len(known) == 254:
                notes.add(report.MANY, f"{where} value {value}")
                table[number] = IGNORE
                continue
            table[number] = known.setdefault(value, len(known) + 1)
        return table[numbers]

    def published(self, split: str) -> dict[str, int]:
        return {"videos found": _PUBLISHED[split]}


def _kind(value: int) -> str:
    return f"stuff class {value}" if value < _STUFF else f"thing class {value // 100}"
