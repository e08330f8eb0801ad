"""The box that a user gives: checked before anything is computed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError, shown


def checked_box(box: Any, size: tuple[int, int], *, within: str) -> npt.NDArray[np.float32]:
    """Returns a user's box as float32 [4].

        checked_box((120, 80, 64, 48), (480, 854), within="video")

    Args:
        box: four numbers (x, y, w, h).
        size: (H, W) of what the box is in.
        within: what that is, for messages.

    Raises:
        InputError: it is something else, smaller than a pixel, or wholly outside.
    """
    try:
        numbers = np.asarray(box, np.float32)
    except (TypeError, ValueError, OverflowError):
        numbers = np.zeros(0, np.float32)
    if numbers.shape != (4,) or not np.isfinite(numbers).all():
        raise InputError(f"the box is {shown(box)}; four finite numbers (x, y, w, h) are expected")
    x, y, width, height = (float(number) for number in numbers)
    if width < 1 or height < 1:
        raise InputError(
            f"the box is {width:g} pixels wide and {height:g} high; at least one pixel is expected"
        )
    if x >= size[1] or y >= size[0] or x + width <= 0 or y + height <= 0:
        raise InputError(
            f"the box (x {x:g}, y {y:g}, width {width:g}, height {height:g}) lies outside of the "
            f"{within}, which is {size[1]}x{size[0]} (width x height): give it in pixels of a frame"
        )
    return numbers
