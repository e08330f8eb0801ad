"""The rules of DAVIS and YouTube-VOS: which frames give objects, are scored and are written.

They are functions of a video's header (`datasets.protocol`), so they hold for plain folders and
prepared datasets alike. How frames are scored is described in `protocols`.
"""

import collections
from collections.abc import Sequence
from typing import NamedTuple

from vosjax.datasets.protocol import Header
from vosjax.errors import InputError
from vosjax.eval.protocols import VOID

_REGULAR = 0.8  # a numbering counts as regular if at least this share of its steps is equal


class Rules(NamedTuple):
    """What a dataset's rules say about a video; frames are named by their indices.

    starts   {object id: index of the frame whose mask gives the object}
    scored   indices of the frames that are scored (some objects may start later)
    truths   indices of the annotated frames; None if the ground truth is not public
    written  indices of the frames whose masks a server expects
    binary   whether all masks are black and white; then 255 is object 1 and not void
    """

    starts: dict[int, int]
    scored: tuple[int, ...]
    truths: tuple[int, ...] | None
    written: tuple[int, ...]
    binary: bool = False


def davis(header: Header, *, year: int = 2017) -> Rules:
    """Applies the rules of DAVIS: the first mask gives all objects.

        starts = davis(source.header(0)).starts

    All annotated frames but the first and the last one are scored. If the first mask holds only 0
    and 255, then 255 is one object with id 1 in all masks of the video; otherwise it is void.

    Args:
        header: the header of the video.
        year: 2017, or 2016, where all ids are one object.

    Raises:
        InputError: the first frame has no mask, or its mask shows no object.
    """
    annotated = header.annotated
    if 0 not in annotated:
        first = f" {header.names[0]}" if header.names else ""
        raise InputError(
            f"video {header.name} has no mask of the first frame{first}: DAVIS gives the objects "
            "there"
        )
    mask = header.mask(0)
    binary = set(mask.pixels) == {VOID}
    one = binary or (year == 2016 and mask.pixels)
    ids = [1] if one else sorted(set(mask.pixels) - {VOID})
    if not ids:
        raise InputError(f"{mask.name} shows no object: the first mask must")
    return Rules(
        dict.fromkeys(ids, 0),
        annotated[1:-1],
        annotated if len(annotated) > 1 else None,
        header.released,
        binary,
    )


def youtube(header: Header) -> Rules:
    """Applies the rules of YouTube-VOS: an object is given by the first mask that shows it.

        starts = youtube(source.header(0)).starts

    It is scored in all later frames. The first frame that meta.json announces is sometimes too
    early; the object then starts in the next frame whose mask shows it.

    Raises:
        InputError: no mask from the announced frame on shows the object.
    """
    starts = {}
    for key, announced in header.announced.items():
        later = (t for t in header.annotated if t >= announced.first)
        start = next((t for t in later if key in header.mask(t).pixels), None)
        if start is None:
            raise InputError(
                f"video {header.name}: meta.json announces object {key}, but no mask in "
                "Annotations from its first frame on shows it: unpack the dataset again"
            )
        starts[key] = start
    if not starts:
        raise InputError(f"video {header.name} has no objects")
    first = min(starts.values())
    scored = tuple(t for t in header.listed or header.annotated if t > first)
    public = set(scored) <= set(header.annotated)
    if not header.listed and set(header.annotated) == set(starts.values()):
        public = False  # no masks but those that are given
    return Rules(starts, scored, header.annotated if public else None, header.released)


def lost_number(names: Sequence[str]) -> tuple[str, str] | None:
    """Finds a missing number: returns (the name before it, the missing name), or None.

        lost_number(["00000", "00001", "00003", "00004", "00005", "00006"])  # ('00001', '00002')

    A rare gap in a regular numbering means that a file was lost. An irregular numbering is taken
    to be intended.
    """
    if not all(name.isdecimal() for name in names):
        return None
    numbers = [int(name) for name in names]
    steps = [after - before for before, after in zip(numbers, numbers[1:])]
    if not steps:
        return None
    step, count = collections.Counter(steps).most_common(1)[0]
    holes = [before for before, distance in zip(numbers, steps) if distance > step]
    if not holes or count < _REGULAR * len(steps):
        return None
    width = len(names[0])
    return f"{holes[0]:0{width}d}", f"{holes[0] + step:0{width}d}"
