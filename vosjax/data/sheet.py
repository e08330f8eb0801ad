"""Contact sheets of training clips: one row for each clip, with its masks and ids drawn over."""

from collections.abc import Sequence

import cv2
import numpy as np

from vosjax.data.types import IGNORE, Clip, Labels
from vosjax.datasets.decode import Picture
from vosjax.io.overlay import overlay
from vosjax.io.palette import DAVIS

_GAP = 4  # pixels between frames
_LINE = 18  # pixels for the title above a row


def contact_sheet(
    clips: Sequence[Clip], *, width: int = 240, titles: Sequence[str] | None = None
) -> Picture:
    """Draws a sheet, uint8 [H, W, 3], with a row for each clip and a column for each frame.

        Image.fromarray(contact_sheet([sample_clip()])).save("sheet.png")

    Objects are tinted and labelled with the number of their slot; ignored pixels are hatched.

    Args:
        clips: clips of one shape, see `types`.
        width: width of a frame on the sheet, in pixels.
        titles: a title for each row; None shows the number of objects.
    """
    count, high, wide = clips[0]["labels"].shape
    height = max(1, round(high * width / wide))
    row = height + _LINE + _GAP
    sheet = np.full((len(clips) * row, count * (width + _GAP), 3), 32, np.uint8)
    for y, clip in enumerate(clips):
        title = titles[y] if titles else f"objects: {int(clip['objects'])}"
        cv2.putText(
            sheet,
            title,
            (2, y * row + _LINE - 5),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            (230, 230, 230),
            1,
            cv2.LINE_AA,
        )
        for x in range(count):
            tile = _tile(clip["frames"][x], clip["labels"][x], (height, width))
            top, left = y * row + _LINE, x * (width + _GAP)
            sheet[top : top + height, left : left + width] = tile
    return sheet


def _tile(frame: Picture, labels: Labels, size: tuple[int, int]) -> Picture:
    frame = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)
    labels = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    ignored = labels == IGNORE
    tile = overlay(frame, np.where(ignored, 0, labels))
    stripes = np.add.outer(np.arange(size[0]), np.arange(size[1])) % 8 < 2
    tile[ignored & stripes] = 255
    for i in np.unique(labels[~ignored & (labels > 0)]):
        inside = np.pad((labels == i).astype(np.uint8), 1)  # the border counts as outside
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)  # the number stands where it is most
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        for colour, thick in (((0, 0, 0), 3), (tuple(map(int, DAVIS[i] // 2 + 127)), 1)):
            cv2.putText(
                tile,
                str(i),
                (int(x) - 5, int(y) + 5),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.5,
                colour,
                thick,
                cv2.LINE_AA,
            )
    return tile
