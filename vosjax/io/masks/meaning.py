"""Decides what the values of a user's masks mean, and turns them into ids.

This is done for all masks of a video together, since a colour must have the same id in all of them.

| values | ids |
|---|---|
| integers, greys | the values; 0 is the background |
| palette images | the indices, unless the colours contradict them (`palettes.py`) |
| colours, all grey | the greys |
| colours, all in the palette of a palette image of the video, or in DAVIS' | its indices |
| other colours | 1, 2, ... over the sorted colours of all masks; black is the background |
| annotations | 1, 2, ... in the order of the files |
| nothing but 0 and one of 1, 255 and 65535 | one object, id 1 |
| 255 beside ids below 32 in the palette of DAVIS | void: background in every mask |
| 255 beside ids below 32 in any other mask | refused: is it void or an object? |
| 255 beside others | an object |
"""

from typing import NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks import palettes
from vosjax.io.masks.raw import Kind, Raw
from vosjax.io.names import printable
from vosjax.io.palette import DAVIS
from vosjax.io.smoothing import check_sharp

VOID = 255
WHITES = {1, 255, 65535}  # values of the object in masks of two values
PAINT = 32  # darker greys are numbers, since nobody could see them on black
GREY = 0x010101  # the packed colour of grey level 1
SHOWN = 10  # at most so many colours or names are listed in a note


class Ids(NamedTuple):
    """The masks of a video as ids.

    labels   uint8 or uint16 [H, W] for each raw mask
    palette  uint8 [256, 3]; None if the masks have no colours
    notes    which colour or name stands for which id, in sentences
    doubts   what could have been read otherwise, in sentences
    objects  {id: its label} of objects from annotation files
    """

    labels: list[np.ndarray]
    palette: np.ndarray | None
    notes: list[str]
    doubts: list[str]
    objects: dict[int, str]


def values_to_ids(raws: list[Raw]) -> Ids:
    """Turns the values of all masks of a video into ids.

        ids = values_to_ids([raw_numbers(labels, "the mask", "an array of uint8")])

    Raises:
        InputError: a mask is a smoothed drawing, or the meaning of its values cannot be known.
    """
    raws, doubts = palettes.settle(raws)
    for raw in raws:
        doubts = [*doubts, *raw.doubts, *_check_sharp(raw)]
    raws, palette, notes = _number_colours(raws)
    raws, objects, names = _number_objects(raws)
    _check_alike(raws)
    table, void = _white_and_void([raw for raw in raws if raw.kind not in ("painted", "listed")])
    labels = []
    for raw in raws:
        values = raw.values if raw.kind in ("painted", "listed") else table[raw.values]
        labels.append(values.astype(np.uint8 if values.max() <= 255 else np.uint16))
    return Ids(labels, palette, notes + names, doubts + void, objects)


def _check_sharp(raw: Raw) -> list[str]:
    """Refuses smoothed drawings, and returns doubts about masks that look a little like one.

    Palettes and wide numbers may have any number of ids.
    """
    blends = 0
    if raw.kind in ("greys", "colours"):
        _check_ground(raw)
        blends = check_sharp(raw.values, name=raw.name, colours=raw.kind == "colours")
    elif raw.kind == "indices" and not palettes.is_davis(raw):
        blends = check_sharp(palettes.shown(raw), name=raw.name, colours=True, most=None)
    elif raw.kind == "numbers" and raw.values.max() in WHITES - {1}:
        levels = raw.values // (raw.values.max() // 255)
        blends = check_sharp(levels, name=raw.name, colours=False, most=256)
    if not blends:
        return []
    return [
        f"{raw.name}: {blends} of its values are thin and lie between others in colour and place, "
        "as the edges of a smoothed drawing do"
    ]


def _check_ground(raw: Raw) -> None:
    """Refuses colours without black if one of them may be the background."""
    paints = np.unique(raw.values)
    white = GREY * VOID if raw.kind == "colours" else VOID
    if paints[0] >= PAINT and len(paints) > 1 and (len(paints) == 2 or paints[-1] == white):
        raise InputError(
            f"{raw.name} holds no black, and white or one of two colours may be the background: "
            "paint the background black"
        )


def _number_colours(raws: list[Raw]) -> tuple[list[Raw], np.ndarray | None, list[str]]:
    """Replaces colours by ids, the same in all masks; also returns a palette that shows them."""
    painted = [raw for raw in raws if raw.kind == "colours"]
    colours = sorted(set().union(*(np.unique(raw.values).tolist() for raw in painted)) - {0})
    indexed = [raw for raw in raws if raw.kind == "indices"]
    kind, ids, palette = _ids_of(colours, indexed[0].palette if indexed else None)
    keys, numbers = np.array([0, *colours]), np.array([0, *ids], np.uint16)
    numbered = [
        raw._replace(kind=kind, values=numbers[np.searchsorted(keys, raw.values)], palette=palette)
        if raw.kind == "colours"
        else raw
        for raw in raws
    ]
    notes = []
    if kind == "painted":
        palette = DAVIS.copy()
        rgb = [(colour >> 16, colour >> 8 & 255, colour & 255) for colour in colours]
        palette[ids[:255]] = rgb[:255]
        notes = [_listed([f"id {i} is the colour {colour}" for i, colour in zip(ids, rgb)])]
    if indexed and not any(palettes.shown(raw).any() for raw in indexed):
        palette = None  # all of its used entries are black
    return numbered, None if palette is None else palette[:, :3], notes


def _ids_of(
    colours: list[int], palette: np.ndarray | None
) -> tuple[Kind, list[int], np.ndarray | None]:
    """Finds ids for packed colours; returns the kind of these ids, the ids, and their palette.

    Args:
        colours: in ascending order, without black.
        palette: uint8 [256, 4] whose indices are ids, if the video has such masks.
    """
    if palette is None and all(colour % GREY == 0 for colour in colours):
        return "greys", [colour // GREY for colour in colours], None
    opaque = np.full((256, 1), 255, np.uint8)
    known = np.hstack([DAVIS, opaque]) if palette is None else palette
    # If several entries have the same colour, the first one counts.
    index = {colour: i for i, colour in reversed([*enumerate(palettes.packed(known).tolist())])}
    if all(colour in index for colour in colours):
        return "indices", [index[colour] for colour in colours], known
    return "painted", list(range(1, len(colours) + 1)), None


def _number_objects(raws: list[Raw]) -> tuple[list[Raw], dict[int, str], list[str]]:
    """Replaces the objects of annotation files by ids, the same in all of them.

    Returns the masks, {id: label}, and a note.
    """
    listed = [raw for raw in raws if raw.kind == "objects" and raw.objects]
    for raw in listed:
        twice = [label for label, _, n in raw.objects if n]
        if twice and len(listed) > 1:
            raise InputError(
                f"{raw.name} holds two objects {printable(twice[0])}, and nothing says which is "
                "which in the other masks: give them a track_id (COCO), a group_id (LabelMe) or "
                "tracks (CVAT)"
            )
    places: dict[tuple, int] = {}
    for raw in listed:
        for key in raw.objects:
            places.setdefault(key, len(places) + 1)
    numbered = []
    for raw in raws:
        if raw.kind == "objects":
            table = np.array([0, *(places[key] for key in raw.objects)], np.uint16)
            raw = raw._replace(kind="listed", values=table[raw.values])
        numbered.append(raw)
    names = [
        f"id {i} is {printable(label)}" + ("" if group is None else f" ({printable(group)})")
        for (label, group, _), i in places.items()
    ]
    objects = {i: label for (label, _, _), i in places.items()}
    return numbered, objects, [_listed(names)] if names else []


def _listed(sentences: list[str]) -> str:
    more = len(sentences) - SHOWN
    return ", ".join(sentences[:SHOWN]) + (f", and {more} more" if more > 0 else "")


def _check_alike(raws: list[Raw]) -> None:
    """Refuses masks of which some number their objects, and others show or name them."""
    families: dict[str, Raw] = {}
    for raw in raws:
        if raw.values.any():
            families.setdefault(raw.kind if raw.kind in ("painted", "listed") else "numbers", raw)
    if len(families) > 1:
        first, second = list(families.values())[:2]
        raise InputError(
            f"{first.name} is {first.what} and {second.name} is {second.what}, and nothing says "
            "which object of the one is which of the other: save all masks in one way"
        )


def _white_and_void(raws: list[Raw]) -> tuple[np.ndarray, list[str]]:
    """Returns a table uint16 [65536] from numbers to ids, and doubts about 255."""
    table = np.arange(65536).astype(np.uint16)
    pages = [set(np.unique(raw.values).tolist()) - {0} for raw in raws]
    every = set().union(*pages)
    if every <= WHITES and all(len(page) <= 1 for page in pages):
        table[list(WHITES)] = 1
        several = " and ".join(map(str, sorted(every)))
        return table, [f"{several} are one object, id 1"] if len(every) > 1 else []
    # Beside 254, 255 is just the last of many ids.
    if VOID not in every or max(every) > VOID or VOID - 1 in every:
        return table, []
    holders = [raw for raw, page in zip(raws, pages) if VOID in page]
    if min(every) >= PAINT:
        return table, ["255 is an object like the others, not void"]
    if all(raw.kind == "indices" and palettes.is_davis(raw) for raw in holders):
        table[VOID] = 0
        pixels = sum(np.count_nonzero(raw.values == VOID) for raw in holders)
        return table, [
            f"255 is void, as it is in the palette of DAVIS and PASCAL VOC: {pixels} pixels are "
            "background; give them another id if they are an object"
        ]
    raise InputError(
        f"{holders[0].name} holds 255 beside ids as low as {min(every)}, so that it may be void or "
        "an object: make void pixels 0, or give the object the next free id"
    )
