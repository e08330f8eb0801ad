"""Boxes and points of the command line: parsed, and made into masks of the video's frames.

    --boxes [FRAME=][ID:]x,y,width,height
    --points [FRAME=][ID:]x,y[,out][;x,y[,out] ...]

Each says where one object is in one frame, in pixels of the frame; `out` says that a point is not
on it. FRAME is an index from 0 or, in a folder, an image's name; frame 0 if it is left out. Objects
are numbered in the order in which they are given, boxes first, unless ID says another number. A box
and points of one ID in one frame belong together.
"""

import contextlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vosjax.errors import InputError, shown
from vosjax.interactive.marker import Marker, load_marker
from vosjax.interactive.several import marked_labels
from vosjax.io.masks import Masks
from vosjax.io.masks.frames import Frames
from vosjax.io.masks.raw import TargetVideo
from vosjax.io.video import Video

HIGHEST = 255  # ids that mask files have room for
Point = tuple[float, float, bool]


class Mark(NamedTuple):
    """Where one object is in one frame.

    box     (x, y, width, height), or None
    points  (x, y, whether it lies on the object)
    """

    box: tuple[float, ...] | None = None
    points: tuple[Point, ...] = ()


def parsed(
    boxes: Sequence[str], points: Sequence[str], frames: Frames, doubts: list[str]
) -> dict[int, dict[int, Mark]]:
    """Parses the boxes and points of a command.

        parsed(["0=120,80,64,48"], ["0=1:130,90"], frames, [])    # {0: {1: Mark(...)}}

    Args:
        boxes: texts of --boxes.
        points: texts of --points.
        frames: the frames of the video.
        doubts: gets a sentence for each frame that could have been another one.

    Returns:
        {frame index: {object id: its `Mark`}}, in the order of frames.

    Raises:
        InputError: a text has another form, or says twice where an object is.
    """
    marks: dict[int, dict[int, Mark]] = {}
    number = 0
    for flag, texts in (("--boxes", boxes), ("--points", points)):
        for text in texts:
            frame, chosen, rest = _split(flag, text, frames, doubts)
            if chosen is None:
                number += 1
            object_id = number if chosen is None else chosen
            if not 1 <= object_id <= HIGHEST:
                raise InputError(
                    f"{flag} {shown(text)} is of object {object_id}: ids of 1 to {HIGHEST} are "
                    "expected"
                )
            before = marks.setdefault(frame, {}).get(object_id, Mark())
            if flag == "--points":
                mark = before._replace(points=(*before.points, *_points(text, rest)))
            elif before.box is not None:
                raise InputError(
                    f"two boxes for object {object_id} in frame {frame}: give one, or another ID, "
                    f"as in --boxes {frame}={object_id + 1}:{rest}"
                )
            else:
                mark = before._replace(box=_box(text, rest))
            marks[frame][object_id] = mark
    return dict(sorted(marks.items()))


def _split(flag: str, text: str, frames: Frames, doubts: list[str]) -> tuple[int, int | None, str]:
    """Splits a text into the frame's index, the object's id if it is given, and the numbers."""
    frame, equals, rest = text.rpartition("=")
    chosen, colon, numbers = rest.rpartition(":")
    if colon and not re.fullmatch(r"\d{1,9}", chosen.strip()):
        raise InputError(f"{flag} {shown(text)}: {shown(chosen)} is no object id, a number from 1")
    object_id = int(chosen) if colon else None
    if not equals:
        return 0, object_id, numbers
    return frames.find(frame.strip(), f"{flag} {text}", doubts), object_id, numbers


def _numbers(text: str) -> list[float]:
    with contextlib.suppress(ValueError):
        numbers = [float(part) for part in text.split(",")]
        if np.isfinite(numbers).all():
            return numbers
    return []


def _box(text: str, rest: str) -> tuple[float, ...]:
    numbers = _numbers(rest)
    if len(numbers) != 4:
        raise InputError(
            f"--boxes got {shown(text)}; [FRAME=][ID:]x,y,width,height in pixels is expected, as "
            "in 0=120,80,64,48"
        )
    return tuple(numbers)


def _points(text: str, rest: str) -> list[Point]:
    made: list[Point] = []
    for part in rest.split(";"):
        head, _, last = part.rpartition(",")
        on = last.strip() != "out"
        numbers = _numbers(part if on else head)
        if len(numbers) != 2:
            raise InputError(
                f"--points got {shown(text)}; [FRAME=][ID:]x,y[,out] in pixels is expected, "
                "several separated by ';', as in '0=130,90;60,70,out'"
            )
        made.append((numbers[0], numbers[1], on))
    return made


def with_marks(
    masks: Masks | None,
    boxes: Sequence[str],
    points: Sequence[str],
    video: Video,
    *,
    count: int | None,
) -> Masks:
    """Makes masks of marks, and adds them to those that are given.

        masks = with_marks(None, ["120,80,64,48"], [], video, count=None)

    Where objects of one frame overlap, the more probable one is seen. Over a given mask of the same
    frame the marked objects are laid.

    Args:
        masks: the masks that are given, or None.
        boxes: texts of --boxes.
        points: texts of --points.
        video: the video, which has to be one that can be read twice.
        count: the number of its frames if it is certain, else None.

    Raises:
        InputError: a text has another form; the video can be read once only or lacks a frame; a
            mark is outside of the frame; or no object is seen where a mark is.
    """
    if video.once:
        raise InputError(
            f"boxes and points are looked at before {video.name} is read, and it can be read once "
            "only: give a mask, or a recording"
        )
    doubts: list[str] = []
    marks = parsed(boxes, points, Frames(TargetVideo(video.size, count, video.names)), doubts)
    marker = load_marker()
    labels = {} if masks is None else dict(masks.labels)
    names = {} if masks is None else dict(masks.names)
    for frame, objects in marks.items():
        with contextlib.closing(video.stream(frame)) as stream:
            picture = next(stream, None)
        if picture is None or picture.missing:
            raise InputError(
                f"boxes or points are given for frame {frame}, which {video.name} does not have"
                + ("" if video.length is None else f": it has {video.length}, counted from 0")
            )
        looking = Marker(picture.image, model=marker)
        said = {object_id: (mark.box, mark.points) for object_id, mark in objects.items()}
        own = marked_labels(looking, said, where=f" in frame {frame}")
        before = labels.get(frame)
        if before is not None:
            own = np.where(own > 0, own, before).astype(before.dtype)
        labels[frame] = own
        names.setdefault(frame, f"the marks of frame {frame}")
    marked = sum(map(len, marks.values()))
    note = f"{marked} object{'s' if marked > 1 else ''} marked by boxes and points"
    labels = dict(sorted(labels.items()))
    if masks is None:
        return Masks(labels, None, (note,), tuple(doubts), names)
    return masks._replace(
        labels=labels,
        notes=(*masks.notes, note),
        doubts=(*masks.doubts, *doubts),
        names=names,
    )
