"""Paints the objects of an annotation file into one raw mask, later ones in front."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks.raw import Raw, TargetVideo
from vosjax.io.names import printable
from vosjax.io.pictures import check_size

MOST_OBJECTS = 65535
MOST_PIXELS = 2**28  # of an image whose size is known from its annotations alone


class Marked(NamedTuple):
    """An annotation.

    where  what messages call it, such as 'annotation 3'
    label  its category
    group  the same for all annotations of one object; None if it does not tell
    draw   draw((H, W)) -> bool [H, W]; raises ValueError, TypeError or OverflowError if it holds
           anything but an area
    """

    where: str
    label: str
    group: str | None
    draw: Callable[[tuple[int, int]], np.ndarray]


def field(record: dict, key: str, kind: type | tuple[type, ...], where: str, default: Any) -> Any:
    """Returns record[key], or `default` if it is missing or null.

        field(record, "label", str, "mask first.json: shape 1", "object")

    Raises:
        InputError: the value has another type than `kind`.
    """
    value = record.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise InputError(f"{where}: its {key} is {type(value).__name__}, the file is damaged")
    return value


def records(content: dict, key: str, name: str) -> list[dict]:
    """Returns the list of objects content[key], or [] if it is missing.

        records(content, "shapes", "mask first.json")

    Raises:
        InputError: the value is anything else.
    """
    values = field(content, key, list, name, [])
    if not all(isinstance(value, dict) for value in values):
        raise InputError(f"{name}: its {key} are no list of objects, the file is damaged")
    return values


def image_size(
    header: dict, height: str, width: str, name: str, video: TargetVideo
) -> tuple[int, int]:
    """Returns (H, W) of an annotated image as its file says, or else the video's.

        image_size(content, "imageHeight", "imageWidth", "mask first.json", video)

    Args:
        header: the part of the file that describes the image.
        height: key of the height in it.
        width: key of the width.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: the size is not the video's, is impossible, or is not known at all.
    """
    size = field(header, height, int, name, None), field(header, width, int, name, None)
    if None in size:
        if video.size is None:
            raise InputError(f"{name} does not say how large its image is: give the video's size")
        return video.size
    check_size(size, video.size, name)
    if min(size) < 1 or size[0] * size[1] > MOST_PIXELS:
        raise InputError(f"{name} is for an image of {size[1]}x{size[0]}, no image is of that size")
    return size


def paint(marked: list[Marked], size: tuple[int, int], *, name: str, what: str) -> Raw:
    """Paints the annotations of one image into a raw mask.

        raw = paint(marked, (480, 854), name="mask first.json", what="LabelMe shapes")

    Args:
        marked: the annotations.
        size: (H, W) of the image.
        name: what messages call the file.
        what: the mask's kind in words.

    Raises:
        InputError: an annotation marks no area, or there are too many objects.
    """
    values = np.zeros(size, np.uint16)
    places: dict[tuple[str, str | None, int], int] = {}
    loners: dict[str, int] = {}
    doubts, covered = [], 0
    for mark in marked:
        try:
            area = mark.draw(size)
        except (ValueError, TypeError, OverflowError) as error:
            reason = printable(error)
            raise InputError(f"{name}: {mark.where} ({printable(mark.label)}): {reason}") from error
        if not area.any():
            doubts.append(f"{name}: {mark.where} ({printable(mark.label)}) has no pixel")
            continue
        number = 0
        if mark.group is None:
            number = loners[mark.label] = loners.get(mark.label, -1) + 1
        value = places.setdefault((mark.label, mark.group, number), len(places) + 1)
        if value > MOST_OBJECTS:
            raise InputError(f"{name} holds more than {MOST_OBJECTS} objects")
        covered += int(np.count_nonzero((values[area] > 0) & (values[area] != value)))
        values[area] = value
    if covered:
        doubts.append(f"{name}: {covered} pixels lie in two objects, the later one has them")
    return Raw(name, what, "objects", values, objects=tuple(places), doubts=tuple(doubts))
