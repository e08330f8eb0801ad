"""Marked objects of an annotation file painted into one raw mask, the later ones in front."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks.raw import Raw, TargetVideo
from vosjax.io.names import printable
from vosjax.io.pictures import check_size

MOST_OBJECTS = 65535
MOST_PIXELS = 2**28  # of an image whose size only its annotations tell


class Marked(NamedTuple):
    """One annotation.

    where  what messages call it, such as 'annotation 3'
    label  its category
    group  what it has in common with other annotations of the same object, None for nothing
    draw   draw((H, W)) -> bool [H, W]; raises ValueError, TypeError or OverflowError where it
           holds something else than an area
    """

    where: str
    label: str
    group: str | None
    draw: Callable[[tuple[int, int]], np.ndarray]


def field(record: dict, key: str, kind: type | tuple[type, ...], where: str, default: Any) -> Any:
    """record[key], or `default` where it is missing or null.

    Raises:
        InputError: it is of another type than `kind`.
    """
    value = record.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise InputError(f"{where}: its {key} is {type(value).__name__}, the file is damaged")
    return value


def records(content: dict, key: str, name: str) -> list[dict]:
    """The list of objects content[key], empty where it is missing.

    Raises:
        InputError: it is something else.
    """
    values = field(content, key, list, name, [])
    if not all(isinstance(value, dict) for value in values):
        raise InputError(f"{name}: its {key} are no list of objects, the file is damaged")
    return values


def image_size(
    header: dict, height: str, width: str, name: str, video: TargetVideo
) -> tuple[int, int]:
    """(H, W) of an annotated image as its file says, else the video's.

    Raises:
        InputError: not the video's, impossible, or not known at all.
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
    """The raw mask [H, W] of one image's annotations.

    Raises:
        InputError: an annotation that marks no area, or too many.
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
