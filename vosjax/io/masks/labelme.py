"""Reads LabelMe's JSON as a raw mask: polygons, rectangles, circles, turned rectangles and masks.

Shapes with the same label and `group_id` are parts of one object; a shape without a group is an
object of its own.
"""

import base64
import functools
from typing import Any

import numpy as np

from vosjax.io.masks import shapes
from vosjax.io.masks.painting import Marked, field, image_size, paint, records
from vosjax.io.masks.raw import Page, TargetVideo
from vosjax.io.pictures import read_pictures


def read_labelme(content: dict, name: str, video: TargetVideo) -> list[Page]:
    """Reads the mask of the file's image; `imagePath` tells its frame.

        pages = read_labelme(json.loads(data), "mask first.json", TargetVideo((480, 854)))

    Args:
        content: the file's `shapes`, with `imagePath`, `imageHeight` and `imageWidth` if it has
            them.
        name: what messages call the file.
        video: the video that the mask is for.

    Raises:
        InputError: the file is damaged, the image has another size, or a shape (a line, a point)
            marks no area.
    """
    size = image_size(content, "imageHeight", "imageWidth", name, video)
    marked = []
    for number, record in enumerate(records(content, "shapes", name), 1):
        where = f"shape {number}"
        group = record.get("group_id")
        kind = field(record, "shape_type", str, f"{name}: {where}", "polygon")
        draw = functools.partial(_draw, kind, record)
        label = str(record.get("label"))
        marked.append(Marked(where, label, None if group is None else str(group), draw))
    raw = paint(marked, size, name=name, what="LabelMe shapes")
    return [Page(raw, field(content, "imagePath", str, name, None))]


def _draw(kind: str, record: dict, size: tuple[int, int]) -> np.ndarray:
    if kind not in _SHAPES:
        raise ValueError(f"a {kind} marks no area: {', '.join(_SHAPES)} are expected")
    corners = record.get("points")
    if not isinstance(corners, list) or not all(isinstance(corner, list) for corner in corners):
        raise ValueError("points that are no pairs of numbers")
    points = shapes.points([number for corner in corners for number in corner])
    if len(points) < _LEAST.get(kind, 1):
        raise ValueError(f"a {kind} of {len(points)} point(s) marks no area")
    return _SHAPES[kind](points, record, size)


def _polygon(points: np.ndarray, record: dict, size: tuple[int, int]) -> np.ndarray:
    return shapes.fill_polygon(points, size)


def _rectangle(points: np.ndarray, record: dict, size: tuple[int, int]) -> np.ndarray:
    if len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return shapes.fill_polygon(points, size)


def _circle(points: np.ndarray, record: dict, size: tuple[int, int]) -> np.ndarray:
    centre, edge = points[:2]
    return shapes.fill_circle(centre, float(np.hypot(*(edge - centre))), size)


def _mask(points: np.ndarray, record: dict, size: tuple[int, int]) -> np.ndarray:
    """Draws a picture of a mask with its corner at the first point."""
    data = base64.b64decode(record.get("mask") or "", validate=True)
    (picture,) = read_pictures(data, name="its mask")
    if picture.values.ndim != 2:
        raise ValueError("its mask holds colours")
    x, y = (round(float(value)) for value in points[0])
    area = np.zeros(size, bool)
    part = picture.values[max(-y, 0) :, max(-x, 0) :] > 0
    target = area[max(y, 0) :, max(x, 0) :]
    height, width = np.minimum(part.shape, target.shape)
    target[:height, :width] = part[:height, :width]
    return area


_LEAST = {"polygon": 3, "rotation": 3, "rectangle": 2, "circle": 2}  # least number of points
_SHAPES: dict[str, Any] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "rotation": _polygon,
    "circle": _circle,
    "mask": _mask,
}
