"""Any mask a user may hold, read as object ids, or refused with one line that says what to do.

| source | read |
|---|---|
| PNG, GIF, TIFF, BMP, lossless WebP, PGM, PBM, PPM, QOI | palette, grey, colours, with alpha |
| the same with several pages or animated | a mask for each frame |
| .npy, .npz, arrays, Pillow images | ids, colours, stacks of either |
| COCO and LabelMe JSON | polygons, run lengths, rectangles, circles, masks |
| JPEG and what else is stored with loss; smoothed drawings; floats | refused |

Files are read raw first (`images`, `arrays`, `annotations`), as what a value means can depend on
the other masks of the video; then each gets its frame (`sources`, `frames`), and all together are
put into ids (`palettes`, `meaning`). What was read is said in sentences (`notes`).
"""

from vosjax.io.masks.reading import Mask, Masks, read_mask, read_masks

__all__ = ["Mask", "Masks", "read_mask", "read_masks"]
