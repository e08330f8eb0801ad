"""What the salient-object sets share: photos with grey masks, one or several objects.

Grey below 128 is background. In the config `binary` all the rest is one object; in `greys` every
distinct level is one (as AFB-URR converts them for AOT's pre-training), which tells apart the
objects of sets with graded masks.
"""

import pathlib

import numpy as np
from PIL import Image

from data_prep import builder, pictures, report
from data_prep.errors import SourceError

BINARY = builder.Config("binary", "Levels from 128 on are one object.", binary=True)
GREYS = builder.Config("greys", "Every level from 128 on is an object.", binary=False)


class SalientBuilder(builder.FolderBuilder, skip_registration=True):
    """Stills with grey masks of the same stem; subclasses set `IMAGES` and `MASKS`.

    `IMAGES`, `MASKS`: candidates of (folder, endings) below the source; `COUNT`: published stills.
    """

    name = "salient"
    SPLITS = ("train",)
    PER_SHARD = 500
    IMAGES: tuple = ()
    MASKS: tuple = ()
    COUNT = 0

    def units(self, split):
        images, mask_files = (self._files(kind) for kind in (self.IMAGES, self.MASKS))
        stems = {path.stem: str(path) for path in mask_files}
        return [(path.stem, dict(image=str(path), mask=stems.get(path.stem))) for path in images]

    def _files(self, candidates):
        for folder, endings in candidates:
            files = pictures.listing(self.source / folder, endings)
            if files:
                return files
        raise SourceError(
            f"{self.source} is not a folder of {self.name}: expected "
            f"{' or '.join(f'{f}/*{e[0]}' for f, e in candidates)} in it"
        )

    def records(self, name, unit, notes):
        image = pathlib.Path(unit["image"]).read_bytes()
        mask = None
        if unit["mask"]:
            levels = _levels(unit["mask"])
            if levels is None:
                notes.add(report.DAMAGED_MASK, name)
                return
            mask = self.ids(levels)
        yield from builder.still_record(name, image, mask, notes)

    def ids(self, levels):
        """Label map uint8 [H, W] of grey levels [H, W]."""
        if self.builder_config.binary:
            return (levels >= 128).astype(np.uint8)
        table = np.zeros(256, np.uint8)
        objects = np.unique(levels[levels >= 128])
        table[objects] = np.arange(1, len(objects) + 1)
        return table[levels]

    def published(self, split):
        return {"stills found": self.COUNT}


def _levels(path):
    """Grey levels uint8 [H, W] of a mask, whatever kind of picture it is, or None."""
    try:
        with Image.open(path) as image:
            return np.array(
                image.convert("RGB").convert("L") if image.mode == "P" else image.convert("L")
            )
    except (OSError, SyntaxError):
        return None
