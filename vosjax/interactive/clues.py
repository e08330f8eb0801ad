"""What a user says about one object, as maps that the interactive network sees.

The maps are float32 [S, S, 4], in the pixels of the network's window:

    0  box       1 inside the box, 0 outside; all 0 without a box
    1  inside    1 on a disc around every click on the object
    2  outside   1 on a disc around every click beside it
    3  mask      the probability of the object so far; all 0 at first
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

CHANNELS = 4
BOX, INSIDE, OUTSIDE, MASK = range(CHANNELS)
RADIUS = 5  # of a click's disc, in pixels of the window, as in RITM


class Clicks(NamedTuple):
    """K clicks.

    at      float32 [K, 2], x and y in pixels; the centre of the first pixel is (0.5, 0.5)
    inside  bool [K], whether the click lies on the object; else it must not be part of it
    """

    at: npt.NDArray[np.float32]
    inside: npt.NDArray[np.bool_]


NO_CLICKS = Clicks(np.zeros((0, 2), np.float32), np.zeros(0, bool))


def disc(side: int, at: Any) -> Any:
    """Returns the disc around a click, bool [S, S]; `at` is (x, y), also traced.

    disc(257, (128.5, 128.5)).sum()      # 81
    """
    centres = np.arange(side, dtype=np.float32) + np.float32(0.5)
    across, down = centres[None, :] - at[0], centres[:, None] - at[1]
    return across * across + down * down <= RADIUS * RADIUS


def clue_maps(
    side: int,
    *,
    box: tuple[float, float, float, float] | None = None,
    clicks: Clicks = NO_CLICKS,
    mask: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Draws a box, clicks and the mask so far as the network sees them.

        clues = clue_maps(257, box=(40, 60, 120, 90))

    Args:
        side: side S of the window.
        box: (x, y, width, height) in pixels of the window; pixels whose centres lie in it count.
        clicks: the clicks, in pixels of the window; those outside of it are left out.
        mask: [S, S], probability of the object so far; None for none.

    Returns:
        float32 [S, S, 4], see the top of this file.
    """
    maps = np.zeros((side, side, CHANNELS), np.float32)
    if box is not None:
        x, y, width, height = box
        centres = np.arange(side) + 0.5
        columns = (centres >= x) & (centres <= x + width)
        rows = (centres >= y) & (centres <= y + height)
        maps[..., BOX] = rows[:, None] & columns
    for at, inside in zip(clicks.at, clicks.inside):
        if 0 <= at[0] <= side and 0 <= at[1] <= side:
            channel = INSIDE if inside else OUTSIDE
            maps[..., channel] = np.maximum(maps[..., channel], disc(side, at))
    if mask is not None:
        maps[..., MASK] = mask
    return maps
