"""Decides whether a palette image's indices are its ids, or its colours tell the objects.

An index is an id by convention only, and editors order palettes by use or brightness. Where the two
contradict each other, within an image or among those of a video, the colours that a person sees
decide:

| colours of the pixels | ids |
|---|---|
| index 0 is black or transparent, no other black is used | the indices; transparent ones are 0 |
| no pixel is black or transparent | the indices |
| another index is black or transparent, index 0 has a colour or is not used | by colour |
| index 0 and another one are both black and used | refused: is it background or an object? |
| all pixels are black | the indices, as the colours tell nothing |
| images of a video show one index in two colours, or one colour by two indices | by colour in all |
| another mask of the video has colours that are in no palette | by colour in all |
"""

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks.images import pack
from vosjax.io.masks.raw import Raw
from vosjax.io.palette import DAVIS

MISMATCH = "the masks differ in their colours, so the ids follow these, not the palettes' indices"


def settle(raws: list[Raw]) -> tuple[list[Raw], list[str]]:
    """Turns palette images into 'colours' where these decide; returns all raw masks, and doubts.

        raws, doubts = settle(raws)

    Raises:
        InputError: two indices of an image are black, as the background and as an object.
    """
    settled = [
        as_colours(raw) if raw.kind == "indices" and not _by_index(raw) else raw for raw in raws
    ]
    indexed = [raw for raw in settled if raw.kind == "indices"]
    painted = [raw for raw in settled if raw.kind == "colours"]
    if not indexed or (_agree(indexed) and _covered(painted, indexed)):
        return [_cleared(raw) if raw.kind == "indices" else raw for raw in settled], []
    return [as_colours(raw) if raw.kind == "indices" else raw for raw in settled], [MISMATCH]


def as_colours(raw: Raw) -> Raw:
    """Returns a palette image as the RGBA image that it shows.

    raw = as_colours(raw)
    """
    values, doubts = pack(raw.entries[raw.values], raw.name)
    return raw._replace(kind="colours", values=values, palette=None, doubts=raw.doubts + doubts)


def is_davis(raw: Raw) -> bool:
    """Returns whether a palette is that of PASCAL VOC and DAVIS, in which 255 is void.

    is_davis(raw)
    """
    used = [*np.unique(raw.values), 255]
    return bool((raw.entries[used, :3] == DAVIS[used]).all())


def shown(raw: Raw) -> np.ndarray:
    """Returns int [H, W], the packed colours of a palette image, whatever its transparency.

    colours = shown(raw)
    """
    return packed(raw.entries)[raw.values]


def packed(palette: np.ndarray) -> np.ndarray:
    """Returns int32 [K], the colours of a palette [K, 3 or 4] as r << 16 | g << 8 | b.

    packed(np.array([[0, 0, 0], [255, 0, 0]]))[1]     # 16711680
    """
    red, green, blue = palette[:, :3].astype(np.int32).T
    return red << 16 | green << 8 | blue


def _by_index(raw: Raw) -> bool:
    used = np.unique(raw.values)
    black, clear = _black(raw), _clear(raw)
    visible = used[~clear[used]]
    if not len(visible) or (black[visible].all() and len(visible) == len(used)):
        return True
    others = used[(black | clear)[used] & (used > 0)]
    if not len(others):
        return True
    if not (black | clear)[0] or 0 not in used or black[visible].all():
        return False
    if black[others].any() and not clear[others].all():
        raise InputError(
            f"{raw.name}: index {others[~clear[others]][0]} of its palette is black like index 0, "
            "the background: give every object a colour, or save the ids as a grey image"
        )
    return True


def _black(raw: Raw) -> np.ndarray:
    return (raw.entries[:, :3] == 0).all(1)


def _clear(raw: Raw) -> np.ndarray:
    return raw.entries[:, 3] == 0


def _cleared(raw: Raw) -> Raw:
    """Sets transparent pixels to index 0, and adds a doubt if that has a colour."""
    values = np.where(_clear(raw)[raw.values], 0, raw.values).astype(np.uint8)
    ground, doubts = raw.entries[0, :3], raw.doubts
    if ground.any() and raw.entries[0, 3] and (raw.values == 0).any():
        colour = ", ".join(map(str, ground.tolist()))
        doubts += (f"{raw.name}: index 0 of its palette, ({colour}), is the background",)
    return raw._replace(values=values, doubts=doubts)


def _covered(painted: list[Raw], indexed: list[Raw]) -> bool:
    """Returns whether the first palette has all colours of the masks that are read by colour."""
    colours = set().union(*(np.unique(raw.values).tolist() for raw in painted)) - {0}
    return colours <= set(packed(indexed[0].entries).tolist())


def _agree(raws: list[Raw]) -> bool:
    """Returns whether no index has two colours, and no colour two indices except in one palette."""
    colours: dict[int, set] = {}
    indices: dict[tuple, set] = {}
    for raw in raws:
        for index in np.unique(raw.values[~_clear(raw)[raw.values]]).tolist():
            if index:
                colour = tuple(raw.entries[index, :3].tolist())
                colours.setdefault(index, set()).add(colour)
                indices.setdefault(colour, set()).add(index)
    return all(len(several) == 1 for several in colours.values()) and all(
        len(several) == 1
        or any(
            all(tuple(raw.entries[index, :3].tolist()) == colour for index in several)
            for raw in raws
        )
        for colour, several in indices.items()
    )
