"""The objects of a video: added, named, coloured, hidden, merged, removed."""

import colorsys
import re
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.studio.clip import IDS, Clip, Conflict, Values, score_row

# Told apart on dark and light ground, and by most people who confuse red and green.
COLOURS = (
    *("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45"),
    *("#469990", "#ffe119", "#9a6324", "#aaffc3", "#800000", "#dcbeff", "#808000", "#000075"),
)
COLOUR = re.compile(r"#[0-9a-f]{6}")
LONGEST = 80  # characters of a name
ROUNDS = 3  # in which what changes meanwhile is caught up with, before the lock is taken


def add_object(
    clip: Clip,
    *,
    name: str | None = None,
    colour: str | None = None,
    expected: int | None = None,
) -> dict[str, Any]:
    """Adds an object, with the lowest id that no object has; returns the state.

        add_object(clip, name="dog")

    Args:
        clip: the video.
        name: its name; None for 'object 1' and so on.
        colour: as '#rrggbb'; None for one that differs from those of other objects.
        expected: as for `Clip.edit`.

    Raises:
        InputError: the name or the colour cannot be used, or there are 255 objects.
    """

    def make() -> Values:
        id = free_id(clip)
        return {"objects": {id: described(id, name=name, colour=colour)}}

    return clip.edit("object added", make, expected=expected)


def free_id(clip: Clip) -> int:
    """Returns the lowest id that no object has.

    Raises:
        Conflict: there are 255 objects.
    """
    free = sorted(set(range(1, IDS)) - clip.ids())
    if not free:
        raise Conflict(f"there are {IDS - 1} objects already: remove one first")
    return free[0]


def described(id: int, *, name: str | None = None, colour: str | None = None) -> dict[str, Any]:
    """Returns the entry of a new object: {"name", "colour", "hidden"}.

        described(1, name="dog")

    Raises:
        InputError: the name or the colour cannot be used.
    """
    return {
        "name": f"Object {id}" if name is None else checked_name(name),
        "colour": colour_of(id) if colour is None else checked_colour(colour),
        "hidden": False,
    }


def change_object(
    clip: Clip,
    id: int,
    *,
    name: str | None = None,
    colour: str | None = None,
    hidden: bool | None = None,
    expected: int | None = None,
) -> dict[str, Any]:
    """Names, colours, hides or shows an object; returns the state.

        change_object(clip, 1, name="dog", hidden=True)

    Raises:
        Missing: there is no such object.
        InputError: the name or the colour cannot be used.
    """

    def make() -> Values:
        clip.check_object(id)
        entry = dict(clip.history.tables["objects"][str(id)])
        if name is not None:
            entry["name"] = checked_name(name)
        if colour is not None:
            entry["colour"] = checked_colour(colour)
        if hidden is not None:
            entry["hidden"] = hidden
        return {"objects": {id: entry}}

    done = [
        *(["named"] if name is not None else []),
        *(["coloured"] if colour is not None else []),
        *(["hidden" if hidden else "shown"] if hidden is not None else []),
    ]
    label = f"object {id} {' and '.join(done) or 'unchanged'}"
    return clip.edit(label, make, expected=expected)


def remove_object(clip: Clip, id: int, *, expected: int | None = None) -> dict[str, Any]:
    """Removes an object; its pixels become background. Returns the state.

        remove_object(clip, 3)

    The label maps are made while the clip's lock is free.

    Raises:
        Missing: there is no such object.
    """
    return _given_away(clip, id, None, f"object {id} removed", expected)


def merge_objects(clip: Clip, id: int, into: int, *, expected: int | None = None) -> dict[str, Any]:
    """Makes two objects one: the first one's pixels become the second one's. Returns the state.

        merge_objects(clip, 3, into=1)

    The label maps are made while the clip's lock is free.

    Raises:
        Missing: there is no such object.
        InputError: both are the same.
    """
    if id == into:
        raise InputError(f"object {id} cannot be merged into itself")
    return _given_away(clip, id, into, f"object {id} merged into {into}", expected)


class _Moved(NamedTuple):
    """A label map in which an object's pixels are another one's: its hash, and their number."""

    hash: str
    area: int


def _given_away(
    clip: Clip, id: int, into: int | None, name: str, expected: int | None
) -> dict[str, Any]:
    """Gives the pixels of an object to another one, or to none, as one action.

    A long video has thousands of maps to be made, for which nobody waits: only what changed
    meanwhile is made with the lock held. What others do meanwhile stays, as the two do not meet.
    """
    moved: dict[str, _Moved] = {}
    with clip.lock:
        clip.check_revision(expected)
        _check(clip, id, into)
        hashes = _maps_with(clip, id)
    for _ in range(ROUNDS):  # a propagation may add frames as long as this takes
        if not hashes:
            break
        for hash in hashes:
            moved[hash] = _moved(clip, hash, id, into)
        clip.maps.sync()
        with clip.lock:
            hashes = [hash for hash in _maps_with(clip, id) if hash not in moved]
    return clip.edit(name, lambda: _without(clip, id, into, moved))


def _check(clip: Clip, id: int, into: int | None) -> None:
    for object_id in (id,) if into is None else (id, into):
        clip.check_object(object_id)


def _maps_with(clip: Clip, id: int) -> list[str]:
    """Returns the hashes of the label maps in which an object has pixels; the lock is held."""
    known, key = clip.history.tables, str(id)
    return list(
        dict.fromkeys(
            known["labelled"][frame]
            for frame, rows in known["scores"].items()
            if key in rows and rows[key][1] and frame in known["labelled"]
        )
    )


def _moved(clip: Clip, hash: str, id: int, into: int | None) -> _Moved:
    table = np.arange(IDS, dtype=np.uint8)
    table[id] = into or 0
    labels = table[clip.maps.get(hash)]
    area = 0 if into is None else int(np.count_nonzero(labels == into))
    return _Moved(clip.maps.put(labels, durable=False), area)


def _without(clip: Clip, id: int, into: int | None, moved: dict[str, _Moved]) -> Values:
    """Returns the values after the pixels of an object went to another one, or to none.

    Args:
        clip: the video, whose lock is held.
        id: the object.
        into: the other one, or None.
        moved: {hash of a label map: what it becomes}, for those that were made ahead.
    """
    _check(clip, id, into)
    known, key = clip.history.tables, str(id)
    values: Values = {"objects": {id: None}, "labelled": {}, "scores": {}, "pins": {}}
    late = False
    for frame, rows in known["scores"].items():
        if key not in rows:
            continue
        rest = {other: row for other, row in rows.items() if other != key}
        hash = known["labelled"].get(frame) if rows[key][1] else None
        if hash is not None and hash not in moved:
            moved[hash], late = _moved(clip, hash, id, into), True
        if hash is not None and into is not None:
            rest[str(into)] = _joined(rows[key], rows.get(str(into)), moved[hash].area)
        elif into is not None and str(into) not in rest:
            rest[str(into)] = rows[key]
        values["scores"][frame] = rest or None
        if hash is not None:
            values["labelled"][frame] = moved[hash].hash if rest else None
        elif not rest:
            values["labelled"][frame] = None
    for frame, ids in known["pins"].items():
        if id in ids:
            left = {*ids} - {id} | ({into} if into is not None else set())
            values["pins"][frame] = sorted(left) or None
    if late:
        clip.maps.sync()
    return values


def _joined(row: list[Any], other: list[Any] | None, area: int) -> list[Any]:
    """Returns the row of two objects that became one: the mean is weighted by their areas."""
    parts = [part for part in (row, other) if part is not None and part[1]]
    total = sum(part[1] for part in parts)
    probability = sum(part[0] * part[1] for part in parts) / max(total, 1)
    return score_row(probability, area)


def checked_name(name: str) -> str:
    """Returns a name without spaces around it.

        checked_name(" dog ")       # 'dog'

    Raises:
        InputError: it is empty, too long, or has characters that cannot be shown.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST or not name.isprintable():
        raise InputError(f"a name has 1 to {LONGEST} characters, and none that cannot be shown")
    return name


def checked_colour(colour: str) -> str:
    """Returns a colour in small letters.

        checked_colour("#FF8800")       # '#ff8800'

    Raises:
        InputError: it has another form than '#rrggbb'.
    """
    colour = colour.lower()
    if not COLOUR.fullmatch(colour):
        raise InputError(f"the colour is {colour[:20]!r}; #rrggbb is expected, as in #ff8800")
    return colour


def colour_of(id: int) -> str:
    """Returns the colour of a new object.

    colour_of(1)        # '#e6194b'
    """
    if id <= len(COLOURS):
        return COLOURS[id - 1]
    red, green, blue = colorsys.hsv_to_rgb(id * 0.618034 % 1, 0.55 + id % 3 * 0.2, 0.95)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
