"""The rules of DAVIS and YouTube-VOS: which frame gives an object, what is scored and written.

They are functions of a video's header (`datasets.protocol`), so that they hold for plain folders
and prepared datasets alike. How frames are scored stands in `protocols`.
"""

import collections
from collections.abc import Sequence
from typing import NamedTuple

from vosjax.datasets.protocol import Header
from vosjax.errors import InputError
from vosjax.eval.protocols import VOID

_REGULAR = 0.8  # share of equal steps from which on a numbering counts as regular


class Rules(NamedTuple):
    """What a dataset's rules say of a video; frames go by their indices.

    starts   {object id: index of the frame whose mask gives the object}
    scored   indices that the dataset scores (some objects may start later)
    truths   indices of the annotated frames; None where the truth is not public
    written  indices for which a server wants masks
    binary   all masks are black and white: 255 is object 1 in them, and not void
    """

    starts: dict[int, int]
    scored: tuple[int, ...]
    truths: tuple[int, ...] | None
    written: tuple[int, ...]
    binary: bool = False


def davis(header: Header, *, year: int = 2017) -> Rules:
    """The rules of DAVIS: the first mask gives all objects; first and last frame are not scored.

    A first mask of 0 and 255 alone shows one object, id 1, and so do the later masks of its video.
    (Beside other ids, and alone in the later masks of any other video, 255 is void.)

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
    """The rules of YouTube-VOS: each object starts where it is first shown, and is scored after.

    The frame that meta.json announces is at times too early; the object then starts where the next
    mask shows it.

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
    """(the frame before, the number that is lost) in a numbering with a hole; None without one.

        lost_number(["00000", "00001", "00003", "00004", "00005", "00006"])  # ('00001', '00002')

    A regular numbering with a rare hole is a lost file; an irregular one is the data's own.
    """
    if not all(name.isdecimal() for name in names):
        return None
    numbers = [int(name) for name in names]
    steps = [after - before for before, after in zip(numbers, numbers[1:])]
    if not steps:
        return None
    step, count = collections.Counter(steps).most_common(1)[0]
    holes = [before for before, taken in zip(numbers, steps) if taken > step]
    if not holes or count < _REGULAR * len(steps):
        return None
    width = len(names[0])
    return f"{holes[0]:0{width}d}", f"{holes[0] + step:0{width}d}"
