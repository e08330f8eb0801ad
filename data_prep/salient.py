"""What the datasets of salient objects share: photos with grey masks of one or several objects.

Levels below 128 are background. In the config `binary` all other levels are one object. In `greys`
every distinct level is an object (as in AFB-URR's conversion for AOT's pre-training), which
separates the objects in datasets with graded masks.
"""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from data_prep import builder, pictures, records, report, schema
from vosjax.datasets import decode, layout
from vosjax.datasets.decode import Labels
from vosjax.errors import InputError

BINARY = builder.Config("binary", "Levels from 128 on are one object.", binary=True)
GREYS = builder.Config("greys", "Every level from 128 on is an object.", binary=False)

Candidates = Sequence[tuple[str, tuple[str, ...]]]  # (folder below the source, endings)


class SalientBuilder(builder.FolderBuilder):
    """Stills with grey masks of the same stem.

    Subclasses set `IMAGES` and `MASKS`, the possible folders of the files, and `COUNT`, the
    published number of stills.
    """

    name = "salient"
    SPLITS = ("train",)
    PER_SHARD = 500
    IMAGES: Candidates = ()
    MASKS: Candidates = ()
    COUNT = 0

    def units(self, split: str) -> list[builder.Unit]:
        images, mask_files = (self._files(kind) for kind in (self.IMAGES, self.MASKS))
        stems = {path.stem: str(path) for path in mask_files}
        return [(path.stem, dict(image=str(path), mask=stems.get(path.stem))) for path in images]

    def _files(self, candidates: Candidates) -> list[pathlib.Path]:
        for folder, endings in candidates:
            files = layout.listing(self.source / folder, endings)
            if files:
                return files
        expected = " or ".join(f"{folder}/*{endings[0]}" for folder, endings in candidates)
        raise InputError(f"{self.source} is not a folder of {self.name}: expected {expected} in it")

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        image = pictures.content(unit["image"])
        mask = None
        if unit["mask"]:
            levels = _levels(unit["mask"])
            if levels is None:
                notes.add(report.DAMAGED_MASK, name)
                return
            mask = self.ids(levels)
        yield from records.still(name, image, mask, notes)

    def ids(self, levels: npt.NDArray[np.uint8]) -> Labels:
        """Converts grey levels, uint8 [H, W], to a label map, uint8 [H, W]."""
        if self.builder_config.binary:
            return (levels >= 128).astype(np.uint8)
        table = np.zeros(256, np.uint8)
        objects = np.unique(levels[levels >= 128])
        table[objects] = np.arange(1, len(objects) + 1)
        return table[levels]

    def published(self, split: str) -> dict[str, int]:
        return {"stills found": self.COUNT}


def _levels(path: str) -> npt.NDArray[np.uint8] | None:
    """Reads the grey levels, uint8 [H, W], of a mask in any picture format; None if damaged.

    Not what is stored counts but what is seen, since a mask may have a palette of two greys.
    """
    try:
        colours = decode.frame(pictures.content(path))
    except InputError:
        return None
    return np.array(Image.fromarray(colours).convert("L"))
