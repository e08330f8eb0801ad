"""Says in sentences what was read from masks, so that a person sees a misreading at once."""

import numpy as np

from vosjax.io.masks.frames import Frames
from vosjax.io.masks.raw import Raw
from vosjax.io.names import printable

SHOWN = 10  # at most so many ids or frames are listed in a sentence
TINY = 10  # pixels; smaller objects are suspicious
MOST = 0.75  # part of the border; an object that has more of it is suspicious


def reading(labels: dict[int, np.ndarray], raws: dict[int, Raw], frames: Frames) -> str:
    """Returns one sentence about the objects of all masks.

        reading(labels, raws, frames)   # '2 objects (ids 1, 2) in frame 0 from first.png, a ...'

    Args:
        labels: {frame index: [H, W] of ids}, each with an object.
        raws: {frame index: the raw mask that it was read from}.
        frames: the frames of the video.
    """
    ids = sorted(set().union(*(np.unique(page).tolist() for page in labels.values())) - {0})
    objects = "1 object (id " if len(ids) == 1 else f"{len(ids)} objects (ids "
    first = raws[min(labels)]
    if len(labels) == 1:
        index = min(labels)
        named = "" if frames.video.names is None else f" ({frames.label(index)})"
        where = f"in frame {index}{named} from {_source(first)}, {first.what}"
    else:
        places = [frames.label(index) for index in sorted(labels)]
        where = (
            f"in {len(labels)} frames ({_listed(places)}) from {_source(first)}, {first.what}, and "
            f"{len(labels) - 1} more"
        )
    return f"{objects}{_numbers(ids)}) {where}"


def suspicions(labels: dict[int, np.ndarray], frames: Frames) -> list[str]:
    """Returns sentences about masks whose objects look like a misreading.

        doubts = suspicions(labels, frames)

    Such masks leave no background, may show black objects on white, or have objects of only a few
    pixels, as lossy compression leaves them.

    Args:
        labels: {frame index: [H, W] of ids}.
        frames: the frames of the video.
    """
    doubts = []
    for index, page in sorted(labels.items()):
        frame = f"frame {frames.label(index)}"
        ids, areas = np.unique(page, return_counts=True)
        tiny = [str(i) for i, area in zip(ids.tolist(), areas) if i and area < TINY]
        if tiny:
            doubts.append(
                f"of the objects in {frame} these have under {TINY} pixels: {_listed(tiny)}"
            )
        border = np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]])
        largest = ids[areas.argmax()]
        if largest and np.count_nonzero(border == largest) > MOST * border.size:
            doubts.append(
                f"id {largest} has {areas.max() / page.size:.0%} of {frame} and its border, though "
                "black is the background; paint the background black if it is that"
            )
        elif ids[0]:
            doubts.append(f"the mask of {frame} has no background pixel")
    return doubts


def empty(indices: list[int], frames: Frames) -> list[str]:
    """Returns a sentence, in a list, about masks without any object; [] if there are none.

    notes = empty([3, 4], frames)
    """
    places = _listed([frames.label(index) for index in indices])
    return [f"masks without an object say nothing, frames: {places}"] if indices else []


def _source(raw: Raw) -> str:
    return printable(raw.name.removeprefix("mask "))


def _numbers(ids: list[int]) -> str:
    if len(ids) > SHOWN and ids[-1] - ids[0] == len(ids) - 1:
        return f"{ids[0]} to {ids[-1]}"
    return _listed([str(i) for i in ids])


def _listed(words: list[str]) -> str:
    if len(words) <= SHOWN:
        return ", ".join(words)
    return f"{', '.join(words[: SHOWN - 1])}, ..., {words[-1]}"
