"""Reads CVAT's XML as raw masks: "CVAT for images 1.1" and "CVAT for video 1.1".

| element | area |
|---|---|
| `polygon`, `box` (also a turned one), `ellipse` | filled |
| `mask` | its run lengths, which go along rows within its box |
| `polyline`, `points`, `cuboid`, `skeleton` | refused, as they mark no area |
| `tag` | passed over, as it is of a whole image |

A track is one object, and so are shapes or tracks of one label and `group_id` (CVAT exports single
shapes as tracks of one frame), or shapes of one `track_id` among their attributes. Shapes of a
higher `z_order` lie in front, and of one order the later ones. Shapes that are `outside` are not in
the picture. An image's name tells its frame, or else its `id`, which counts from 0.
"""

import functools
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks import labelme_xml, shapes
from vosjax.io.masks.coco import TRACKS
from vosjax.io.masks.frames import Frames
from vosjax.io.masks.images import read_image_file
from vosjax.io.masks.painting import Marked, image_size, paint
from vosjax.io.masks.raw import Page, TargetVideo
from vosjax.io.names import number, printable

Element = ElementTree.Element
ROOT = "annotations"
KNOWN = ("polygon", "box", "ellipse", "mask")  # shapes that mark an area
OTHERS = ("polyline", "points", "cuboid", "skeleton")


class Shape(NamedTuple):
    """A shape of an image, or of a track in one frame.

    where   what messages call it
    image   the frame's index or, if the file does not tell it, the image's name
    name    name of the image, or None
    size    {'height', 'width'} of the image, None where the file does not tell it
    label   its class
    group   the same for all shapes of one object; None if it does not tell
    """

    element: Element
    where: str
    image: int | str
    name: str | None
    size: dict[str, int | None]
    label: str
    group: str | None


def read_xml(data: bytes, name: str, video: TargetVideo) -> list[Page]:
    """Reads the masks of an XML file of CVAT, or of LabelMe's older tool; refuses any other.

        pages = read_xml(data, "mask annotations.xml", TargetVideo((480, 854)))

    Args:
        data: the file's content.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: the file is damaged, is none of these, or has a document type (whose entities
            may claim any amount of memory); an image has another size; a shape marks no area.
    """
    if data.lstrip()[:4].lower() == b"<svg":
        return read_image_file(data, name, video)  # which says what to do
    try:
        text = data.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise _refused(name, "it has a document type of its own, as CVAT's files never do")
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise _refused(name, str(error)) from error
    if root.tag == labelme_xml.ROOT:
        return labelme_xml.read_labelme_xml(root, name, video)
    if root.tag != ROOT:
        raise _refused(name, f"its root is {root.tag}, not {ROOT}")
    by_image: dict[int | str, list[Shape]] = {}
    for shape in [*_of_images(root, name), *_of_tracks(root, name)]:
        by_image.setdefault(shape.image, []).append(shape)
    if not by_image:
        raise InputError(f"{name} holds no shape: at least one object is expected")
    pages, frames = [], Frames(video)
    for image, own in by_image.items():
        size = image_size(own[0].size, "height", "width", name, video)
        own.sort(key=lambda shape: _order(shape, name))
        marked = [
            Marked(shape.where, shape.label, shape.group, functools.partial(_draw, shape.element))
            for shape in own
        ]
        raw = paint(marked, size, name=name, what="CVAT shapes")
        index = image if isinstance(image, int) else None
        pages.append(Page(raw, frames.told(own[0].name, index)))
    return pages


def _refused(name: str, reason: str) -> InputError:
    return InputError(
        f"{name} is an XML document that is not read ({printable(reason[:200])}): export the "
        "objects as CVAT for images 1.1 or CVAT for video 1.1, or as PNG"
    )


def _of_images(root: Element, name: str) -> Iterator[Shape]:
    """Yields the shapes of "CVAT for images"."""
    for place, image in enumerate(root.findall("image")):
        index, file_name = number(image.get("id", "")), image.get("name")
        if index is None and not file_name:
            raise InputError(f"{name}: image {place + 1} has no id and no name, it is damaged")
        size = {key: _side(image.get(key)) for key in ("height", "width")}
        for element in image:
            if _is_shape(element):
                yield Shape(
                    element,
                    f"image {place + 1}, {element.tag}",
                    index if index is not None else str(file_name),
                    file_name,
                    size,
                    element.get("label", "object"),
                    _group(element),
                )


def _of_tracks(root: Element, name: str) -> Iterator[Shape]:
    """Yields the shapes of "CVAT for video"."""
    original = root.find(".//original_size")
    size = {
        key: None if original is None else _side(original.findtext(key))
        for key in ("height", "width")
    }
    for place, track in enumerate(root.findall("track")):
        group = _group(track) or f"track {track.get('id', place)}"
        for element in track:
            if not _is_shape(element) or element.get("outside") == "1":
                continue
            frame = number(element.get("frame", ""))
            if frame is None:
                raise InputError(f"{name}: a {element.tag} of {group} has no frame, it is damaged")
            where = f"{group}, {element.tag} of frame {frame}"
            yield Shape(element, where, frame, None, size, track.get("label", "object"), group)


def _is_shape(element: Element) -> bool:
    return element.tag in KNOWN or element.tag in OTHERS


def _side(text: str | None) -> int | None:
    return number((text or "").strip())


def _group(element: Element) -> str | None:
    for attribute in element.findall("attribute"):
        if attribute.get("name") in TRACKS and (attribute.text or "").strip():
            return f"track {(attribute.text or '').strip()}"
    group = element.get("group_id")
    return f"group {group}" if group and group != "0" else None


def _order(shape: Shape, name: str) -> float:
    text = shape.element.get("z_order", "0")
    try:
        order = float(text)
    except ValueError:
        order = math.nan
    if not math.isfinite(order):
        raise InputError(f"{name}: {shape.where} has a z_order that is no number, it is damaged")
    return order


def _draw(element: Element, size: tuple[int, int]) -> np.ndarray:
    """Draws a shape; raises ValueError if it holds anything but an area."""
    if element.tag in OTHERS:
        raise ValueError(f"a {element.tag} marks no area: {', '.join(KNOWN)} are expected")
    return _SHAPES[element.tag](element, size)


def _numbers(element: Element, *keys: str) -> list[float]:
    values = [float(element.get(key, "nan")) for key in keys]
    if not np.isfinite(values).all():
        raise ValueError(f"{', '.join(keys)} that are no numbers")
    return values


def _polygon(element: Element, size: tuple[int, int]) -> np.ndarray:
    pairs = [pair.split(",") for pair in element.get("points", "").split(";")]
    numbers = [float(number) for pair in pairs for number in pair]
    if len(pairs) < 3 or any(len(pair) != 2 for pair in pairs):
        raise ValueError("a polygon of fewer than three points, or of points that are no pairs")
    return shapes.fill_polygon(shapes.points(numbers), size)


def _turned(offsets: np.ndarray, centre: tuple[float, float], degrees: float) -> np.ndarray:
    """Returns the points [K, 2] at offsets from a centre, turned clockwise as seen."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return offsets @ turn.T + centre


def _box(element: Element, size: tuple[int, int]) -> np.ndarray:
    left, top, right, bottom = _numbers(element, "xtl", "ytl", "xbr", "ybr")
    (degrees,) = _numbers(element, "rotation") if element.get("rotation") else (0.0,)
    half = np.array([right - left, bottom - top]) / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    centre = (left + right) / 2, (top + bottom) / 2
    return shapes.fill_polygon(_turned(corners, centre, degrees), size)


def _ellipse(element: Element, size: tuple[int, int]) -> np.ndarray:
    x, y, width, height = _numbers(element, "cx", "cy", "rx", "ry")
    (degrees,) = _numbers(element, "rotation") if element.get("rotation") else (0.0,)
    if min(width, height) <= 0:
        raise ValueError("an ellipse without extent")
    ys, xs = np.mgrid[: size[0], : size[1]]
    offsets = np.stack([xs + 0.5 - x, ys + 0.5 - y], -1).reshape(-1, 2)
    back = _turned(offsets, (0.0, 0.0), -degrees) / (width, height)
    return ((back**2).sum(1) <= 1).reshape(size)


def _mask(element: Element, size: tuple[int, int]) -> np.ndarray:
    keys = ("left", "top", "width", "height")
    left, top, width, height = (number(element.get(key, "")) for key in keys)
    if left is None or top is None or not width or not height:
        raise ValueError(f"{', '.join(keys)} that are no whole numbers")
    if left + width > size[1] or top + height > size[0]:
        raise ValueError("a mask whose box reaches beyond the image")
    counts = [number(part.strip()) for part in element.get("rle", "").split(",")]
    area = np.zeros(size, bool)
    # Along rows, where COCO's run lengths go along columns: the transposed mask.
    area[top : top + height, left : left + width] = shapes.expand_runs(counts, (width, height)).T
    return area


_SHAPES = {"polygon": _polygon, "box": _box, "ellipse": _ellipse, "mask": _mask}
