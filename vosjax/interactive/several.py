"""Several marked objects of one frame, as one label map."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError
from vosjax.interactive.marker import Marker


def marked_labels(
    marker: Marker, marks: Mapping[int, tuple[Any, Sequence[Any]]], *, where: str = ""
) -> npt.NDArray[np.uint8]:
    """Makes labels of boxes and points.

        labels = marked_labels(Marker(frame), {1: ((120, 80, 64, 48), []), 2: (None, [(30, 90)])})

    Where marked objects overlap, the more probable one is seen.

    Args:
        marker: looks at the frame.
        marks: {id: (box, points)} as for `Marker.probability`; at least one object.
        where: is added to the message, as in ' in frame 3'.

    Returns:
        uint8 [H, W] of ids.

    Raises:
        InputError: a mark lies outside of the frame, or no object is seen where one is.
    """
    maps = []
    for object_id, (box, points) in marks.items():
        probability = marker.probability(box=box, points=points)
        if not (probability > 0.5).any():
            raise InputError(
                f"no object is seen where object {object_id} is marked{where}: draw the box "
                "closer, add points on the object, or give a mask"
            )
        maps.append(probability)
    stacked = np.stack(maps)
    ids = np.array(list(marks), np.uint8)
    return np.where(stacked.max(0) > 0.5, ids[stacked.argmax(0)], 0).astype(np.uint8)
