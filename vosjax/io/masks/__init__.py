"""Reads any mask a user may have as object ids, or refuses it with one line that says what to do.

| source | result |
|---|---|
| PNG, GIF, TIFF, BMP, lossless WebP, PGM, PBM, PPM, QOI | palette, grey, colours, with alpha |
| the same with several pages or animated | a mask for each frame |
| .npy, .npz, arrays, Pillow images | ids, colours, stacks of either |
| COCO, YouTube-VIS and LabelMe JSON | polygons, run lengths, rectangles, circles, masks |
| CVAT's XML | the same, with tracks |
| ZIP files of these, or of pictures | as they are |
| JPEG and other lossy formats; smoothed drawings; floats | refused |

Files are first read raw (`images`, `arrays`, `annotations`), since the meaning of a value can
depend on the other masks of the video. Then each mask gets its frame (`sources`, `frames`), and the
values of all of them are turned into ids (`palettes`, `meaning`). Sentences say what was read
(`notes`).
"""

from vosjax.io.masks.marks import Marks, read_marks
from vosjax.io.masks.reading import Mask, Masks, read_mask, read_masks

__all__ = ["Mask", "Masks", "Marks", "read_mask", "read_marks", "read_masks"]
