"""Masks into the studio, from files of any kind that `vosjax.io.masks` reads."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks import Marks, read_marks
from vosjax.io.names import printable
from vosjax.studio import objects
from vosjax.studio.clip import Clip, Conflict, Values
from vosjax.studio.maps import Labels, StoredMap


def import_masks(
    clip: Clip, data: bytes, *, frame: int = 0, expected: int | None = None
) -> dict[str, Any]:
    """Takes masks of a file, of whatever kind `vosjax.io.masks` reads, and pins their frames.

    Objects that the file names are those of the same name, or new ones; others keep the ids of the
    file. In the frames that the file speaks of, an object gets the mask of the file.

    The file is read, and the label maps are made, while the clip's lock is free.

        state = import_masks(clip, pathlib.Path("first.png").read_bytes(), frame=12)

    Args:
        clip: the video.
        data: the file's content.
        frame: index of the frame of a single mask that does not tell its own.
        expected: the revision that the state has to have when it begins; None for any. What is
            done meanwhile stays.

    Returns:
        The state; its "imported" says in sentences what was read, and what could be meant
        otherwise.

    Raises:
        InputError: it is no mask, or does not fit the video.
    """
    with clip.lock:
        clip.check_revision(expected)
        known = clip.ids()
    clip.check_frame(frame)
    video = clip.frames.access.video
    marks = read_marks(
        data,
        frames=clip.frames.count if video.names is None else video.names,
        size=clip.frames.size,
        frame=frame,
    )
    late = [index for index in marks.labels if index >= clip.frames.count]
    if late:
        raise InputError(f"a mask is for frame {late[0]}, the video has {clip.frames.count}")
    areas = sum(
        (np.bincount(labels.ravel(), minlength=256) for labels in marks.labels.values()),
        np.zeros(256, np.int64),
    )
    ids = [id for id in np.flatnonzero(areas).tolist() if id]
    if not ids:
        raise InputError("the file marks no object")
    imported = _Import(clip, marks, ids, known)
    imported.prepare()
    count = len(marks.labels)
    name = f"masks of {count} frames imported" if count > 1 else f"mask imported on frame {frame}"
    state = clip.edit(name, imported.values)
    return state | {"imported": [*marks.notes, *marks.doubts]}


class _Place(NamedTuple):
    """What the label map of an imported frame is made from, besides the file's mask.

    ids    the studio's id of each id of the file, 256 bytes
    below  hash of the label map that the frame had; None if it had none
    """

    ids: bytes
    below: str | None


class _Laid(NamedTuple):
    """An imported frame: what its label map was made from, the map, the file's objects in it."""

    place: _Place
    stored: StoredMap
    present: frozenset[int]


class _Import:
    """Lays the masks of a file over those of a video.

    The label maps are made and on the disk before the lock is taken; with the lock held only those
    are made again whose frames, or whose objects' ids, became others meanwhile.
    """

    def __init__(
        self, clip: Clip, marks: Marks, ids: Collection[int], known: Collection[int]
    ) -> None:
        """Takes the video, the masks, the ids that they hold, and those that the video had."""
        self._clip, self._marks, self._ids, self._known = clip, marks, ids, known
        self._laid: dict[int, _Laid] = {}

    def prepare(self) -> None:
        """Makes the label maps ahead, while the lock is free."""
        for _ in range(objects.ROUNDS):
            with self._clip.lock:
                late = self._late(self._own_ids()[0])
            if not late:
                return
            self._lay(late)

    def values(self) -> Values:
        """Returns the values that pin the imported frames; the lock is held."""
        table, added = self._own_ids()
        late = self._late(table)
        if late:
            self._lay(late)
        values: Values = {"objects": added, "labelled": {}, "scores": {}, "pins": {}}
        pins = self._clip.pins()
        for index, (_, stored, present) in self._laid.items():
            entry = self._clip.stored_values(
                index,
                stored,
                sure=dict.fromkeys(present, 1.0),
                pinned=pins.get(index, frozenset()) | present,
            )
            for name, rows in entry.items():
                values[name].update(rows)
        return values

    def _own_ids(self) -> tuple[Labels, dict[int, Any]]:
        return _own_ids(self._clip, self._ids, self._known, self._marks)

    def _late(self, table: Labels) -> dict[int, _Place]:
        """Returns the frames whose label maps are yet to be made; the lock is held."""
        labelled, ids = self._clip.history.tables["labelled"], table.tobytes()
        places = {index: _Place(ids, labelled.get(str(index))) for index in self._marks.labels}
        return {
            index: place
            for index, place in places.items()
            if index not in self._laid or self._laid[index].place != place
        }

    def _lay(self, places: dict[int, _Place]) -> None:
        """Makes label maps, and waits until they are on the disk."""
        for index, place in places.items():
            own = np.frombuffer(place.ids, np.uint8)[self._marks.labels[index]]
            present = frozenset(np.flatnonzero(np.bincount(own.ravel())).tolist()) - {0}
            if place.below is not None:
                below = self._clip.maps.get(place.below)
                rest = np.where(np.isin(below, sorted(present)), 0, below)
                own = np.where(own > 0, own, rest).astype(np.uint8)
            stored = self._clip.maps.store(own, durable=False)
            self._laid[index] = _Laid(place, stored, present)
        self._clip.maps.sync()


def _own_ids(
    clip: Clip, ids: Collection[int], known: Collection[int], marks: Marks
) -> tuple[Labels, dict[int, Any]]:
    """Returns the studio's id of each id of a file, uint8 [256], and the objects to be added.

    Args:
        clip: the video, whose lock is held.
        ids: the ids of the file.
        known: the ids that the video had when the import began. An object that was added since
            is another one than the file's, whatever its id.
        marks: the file's masks.
    """
    named = {entry["name"]: int(id) for id, entry in clip.history.tables["objects"].items()}
    table, added = np.zeros(256, np.uint8), dict[int, Any]()
    for id in ids:
        name = marks.names.get(id)
        if name is None and id in known and id in clip.ids():
            table[id] = id
            continue
        if name is not None and name in named:
            table[id] = named[name]
            continue
        taken = clip.ids() | added.keys()
        free = id if id not in taken else min(set(range(1, 256)) - taken, default=0)
        if not free:
            raise Conflict("there is no room for more than 255 objects: remove some first")
        shown = None if name is None else printable(name).strip()[: objects.LONGEST] or None
        colour = (
            None
            if marks.palette is None or not marks.palette[id].any()
            else "#" + "".join(f"{int(part):02x}" for part in marks.palette[id])
        )
        added[free] = objects.described(free, name=shown, colour=colour)
        table[id] = free
    return table, added
