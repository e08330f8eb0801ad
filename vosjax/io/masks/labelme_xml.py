"""Reads the XML of LabelMe's older web tool (3.0) as a raw mask: polygons, and boxes of them.

An `object` is one object, and so are all of its `parts`. Those that are `deleted` are left out. The
masks of its segmentation tool lie in pictures beside the file, which it only names: such an object
is refused. Pascal VOC's files have the same root, but boxes alone, which mark no area.
"""

import functools
import xml.etree.ElementTree as ElementTree

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks import shapes
from vosjax.io.masks.painting import Marked, image_size, paint
from vosjax.io.masks.raw import Page, TargetVideo
from vosjax.io.names import number

Element = ElementTree.Element
ROOT = "annotation"


def read_labelme_xml(root: Element, name: str, video: TargetVideo) -> list[Page]:
    """Reads the mask of the file's image; `filename` tells its frame.

        pages = read_labelme_xml(root, "mask first.xml", TargetVideo((480, 854)))

    Args:
        root: the file's root, an `annotation`.
        name: what messages call the file.
        video: the video that the mask is for.

    Raises:
        InputError: the file is one of Pascal VOC or damaged, the image has another size, or an
            object has no polygon.
    """
    objects = [item for item in root.findall("object") if _text(item, "deleted") != "1"]
    if any(item.find("bndbox") is not None for item in objects):
        raise InputError(
            f"{name} is a file of Pascal VOC, whose boxes mark no area: give them as --boxes "
            "x,y,width,height, or the masks of SegmentationObject as PNG"
        )
    if not objects:
        raise InputError(f"{name} holds no object: at least one is expected")
    header = {"nrows": number(_text(root, "imagesize/nrows"))}
    header["ncols"] = number(_text(root, "imagesize/ncols"))
    size = image_size(header, "nrows", "ncols", name, video)
    whole = {
        part.strip(): _text(item, "id")
        for item in objects
        for part in _text(item, "parts/hasparts").split(",")
        if part.strip()
    }
    marked = []
    for place, item in enumerate(objects, 1):
        id = _text(item, "id")
        owner = next((other for other in objects if _text(other, "id") == whole.get(id, id)), item)
        marked.append(
            Marked(
                f"object {place}",
                _text(owner, "name") or "object",
                f"object {_text(owner, 'id')}" if _text(owner, "id") else None,
                functools.partial(_draw, item),
            )
        )
    raw = paint(marked, size, name=name, what="LabelMe polygons")
    return [Page(raw, _text(root, "filename") or None)]


def _draw(item: Element, size: tuple[int, int]) -> np.ndarray:
    corners = item.findall("polygon/pt")
    if len(corners) < 3:
        raise ValueError("it has no polygon of three corners or more")
    return shapes.fill_polygon(
        shapes.points([float(_text(corner, axis)) for corner in corners for axis in "xy"]), size
    )


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
