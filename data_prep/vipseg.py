"""VIPSeg, the panoptic annotation of VSPW's videos: `imgs/VIDEO/*.jpg`, `panomasks/VIDEO/*.png`.

A pixel of the 16-bit masks is a class below 125 (stuff), or class * 100 + instance (things); 0 is
void. The value 200 is a known mistake of the annotation and is ignored like void. Objects are
numbered 1..n in a video; `source_ids` keeps the source's values. The released frames are every
third of VSPW's 15 per second.
"""

import pathlib

import numpy as np

from data_prep import builder, masks, pictures, report, schema
from data_prep.errors import SourceError

_STUFF = 125  # values below are classes, values above hold an instance
_WRONG = 200
_PUBLISHED = dict(train=2_806, val=343, test=387)


class Builder(builder.FolderBuilder, skip_registration=True):
    """VIPSeg as videos, things and stuff as objects."""

    name = "vipseg"
    TEXT = "VIPSeg: panoptic masks of videos in the wild."
    SPLITS = ("train", "val", "test")
    FEATURES = schema.VIDEO
    BUILDER_CONFIGS = [
        builder.Config("things_and_stuff", "Stuff regions are objects too.", stuff=True),
        builder.Config("things", "Stuff is background.", stuff=False),
    ]

    def units(self, split):
        images, panoptic = self.find("imgs", "images"), self.find("panomasks")
        return [
            (
                name,
                dict(images=str(images / name), masks=str(panoptic / name), dense=split != "test"),
            )
            for name in self.find(f"{split}.txt").read_text().split()
        ]

    def records(self, name, unit, notes):
        files = pictures.listing(pathlib.Path(unit["images"]))
        folder = pathlib.Path(unit["masks"])
        known, frames, size = {}, [], None
        for file in files:
            where, path = f"{name}/{file.stem}", folder / f"{file.stem}.png"
            mask = b""
            if path.is_file():
                values = pictures.ids_of(path.read_bytes())
                mask = None if values is None else self._renumbered(values, known, where, notes)
            elif unit["dense"]:
                notes.add(report.MISSING, where)
            frame, size = builder.frame(
                file.stem, file.read_bytes(), mask, notes, size=size, where=where
            )
            if frame is not None:
                frames.append(frame)
        yield from builder.video_records(
            name,
            frames,
            notes,
            size=size,
            fps=5.0,
            categories={i: _kind(value) for value, i in known.items()},
            source_ids={i: value for value, i in known.items()},
        )

    def _renumbered(self, values, known, where, notes):
        """Label map uint8 [H, W]; `known` {value: id} grows by what is new."""
        values = values.astype(np.int32)
        if (values == _WRONG).any():
            notes.add(report.BUG, where)
        try:
            places, found = masks.renumbered(values, void=(0, _WRONG))
        except SourceError:
            notes.add(report.MANY, where)
            return None
        table = np.zeros(256, np.uint8)
        table[255] = 255
        for place, value in found.items():
            if value < _STUFF and not self.builder_config.stuff:
                continue
            if value not in known and len(known) == 254:
                notes.add(report.MANY, f"{where} value {value}")
                table[place] = 255
                continue
            table[place] = known.setdefault(value, len(known) + 1)
        return table[places]

    def published(self, split):
        return {"videos found": _PUBLISHED[split]}


def _kind(value):
    return f"stuff class {value}" if value < _STUFF else f"thing class {value // 100}"
