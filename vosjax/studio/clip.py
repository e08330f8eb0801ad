"""A video of the studio: its state, and the ways in which everything that changes it is done."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError
from vosjax.studio import tables
from vosjax.studio.annotations import MaskScore
from vosjax.studio.events import Events
from vosjax.studio.frames import Frames
from vosjax.studio.history import History
from vosjax.studio.maps import Labels, Maps, StoredMap

IDS = 256  # ids are 1 to 255, 0 is the background

Values = dict[str, dict[Any, Any]]


class Stale(InputError):
    """The state is newer than the one that a request was made for; it is in `clip.state()`."""


class Conflict(InputError):
    """Something cannot be done at this moment."""


class Missing(InputError):
    """What a request names is not there."""


class Clip:
    """A video of the studio with everything that is known of it.

        clip = Clip("dog", "dog.mp4", frames, folder)
        clip.edit("object added", lambda: {"objects": {1: {...}}})

    Every change is one action of the history and on the disk before `edit` returns. It may be used
    from several threads: `lock` is held while the state is read or changed, never while anything is
    computed.

    Attributes:
        id: its id in the project.
        name: what the user calls it.
        frames: its frames.
        maps: its label maps.
        history: its state, and what was done.
        events: tells pages what happens.
        job: the present or latest propagation as the page sees it; None before the first.
    """

    def __init__(self, id: str, name: str, frames: Frames, folder: Any, *, fps: float) -> None:
        """Opens what is known of a video from the project's folder of it."""
        self.id, self.name, self.frames, self.fps = id, name, frames, fps
        self.maps = Maps(folder / "maps", frames.size)
        self.history = History(folder)
        self.events = Events()
        self.lock = threading.RLock()
        self.job: dict[str, Any] | None = None
        self._closed = False
        self._mend()

    # What is known, as `annotations.Annotations`.

    def labels(self, frame: int) -> Labels | None:
        """Returns the label map of a frame, or None if there is none."""
        with self.lock:
            name = self.history.tables["labelled"].get(str(frame))
        return None if name is None else self.maps.get(name)

    def pins(self) -> dict[int, frozenset[int]]:
        """Returns {pinned frame: ids of the objects that were given there}."""
        with self.lock:
            pins = self.history.tables["pins"]
            return {int(frame): frozenset(ids) for frame, ids in pins.items()}

    def scores(self, frame: int) -> dict[int, MaskScore]:
        """Returns the scores of the objects of a frame."""
        with self.lock:
            scores = self.history.tables["scores"].get(str(frame), {})
            return {int(id): (row[0], row[1], bool(row[2])) for id, row in scores.items()}

    def ids(self) -> frozenset[int]:
        """Returns the ids of all objects."""
        with self.lock:
            return frozenset(map(int, self.history.tables["objects"]))

    # Changes.

    def edit(
        self, name: str, make: Callable[[], Values], *, expected: int | None = None
    ) -> dict[str, Any]:
        """Does something as one action.

            clip.edit("object removed", lambda: {"objects": {3: None}}, expected=12)

        Args:
            name: what the action is called.
            make: returns {table: {key: new value, None to remove it}}; called with the lock held.
            expected: the revision that the state has to have; None for any.

        Returns:
            The state afterwards.

        Raises:
            Stale: the state has another revision.
            InputError: whatever `make` raises; nothing is changed then.
        """
        with self.lock:
            self.check_revision(expected)
            change = tables.changed(self.history.tables, make())
            if self.history.do(name, change):
                self.tell()
            return self.state()

    def undo(self, *, redo: bool = False, expected: int | None = None) -> dict[str, Any]:
        """Takes the last action back, or does again what was undone last; returns the state.

        Raises:
            Stale: the state has another revision.
            Conflict: there is nothing to be undone or done again.
        """
        with self.lock:
            self.check_revision(expected)
            name = self.history.redo() if redo else self.history.undo()
            if name is None:
                raise Conflict(f"there is nothing to {'redo' if redo else 'undo'}")
            self.tell()
            return self.state()

    def check_revision(self, expected: int | None) -> None:
        """Checks that a request still fits; every change begins with it.

        Raises:
            Missing: the video was removed meanwhile.
            Stale: the state has not the expected revision; None takes any.
        """
        if self._closed:
            raise Missing(f"the video {self.name} was removed")
        if expected is not None and expected != self.history.revision:
            raise Stale(
                f"the state is at revision {self.history.revision}, not at {expected}: something "
                "else changed it meanwhile"
            )

    def check_frame(self, frame: int) -> None:
        """Raises InputError unless the video has a frame."""
        if not 0 <= frame < self.frames.count:
            raise InputError(
                f"there is no frame {frame}: the video has {self.frames.count}, counted from 0"
            )

    def check_object(self, object_id: int) -> None:
        """Raises Missing unless there is an object."""
        if object_id not in self.ids():
            raise Missing(f"there is no object {object_id}; there are: {sorted(self.ids())}")

    def frame_values(
        self,
        frame: int,
        labels: Labels,
        *,
        sure: dict[int, float] | None = None,
        pinned: Iterable[int] | None = None,
        durable: bool = True,
    ) -> Values:
        """Returns the values that give a frame a label map, its scores and its pins.

        Args:
            frame: index of the frame.
            labels: uint8 [H, W] of ids.
            sure: {id: mean probability} of the objects that are set anew; all others keep theirs.
            pinned: ids of the objects that are given there; None leaves them as they are, and
                none of them removes the pin.
            durable: whether to wait until the map is on the disk.
        """
        stored = self.maps.store(labels, durable=durable)
        return self.stored_values(frame, stored, sure=sure, pinned=pinned)

    def stored_values(
        self,
        frame: int,
        stored: StoredMap,
        *,
        sure: dict[int, float] | None = None,
        pinned: Iterable[int] | None = None,
    ) -> Values:
        """Returns what `frame_values` does, of a label map that was stored before.

        stored = clip.maps.store(labels)
        clip.edit("imported", lambda: clip.stored_values(12, stored, pinned=[1]))
        """
        sure = sure or {}
        old, areas = self.scores(frame), stored.areas
        rows = {
            str(id): score_row(
                sure[id] if id in sure else old[id][0] if id in old else 1.0, areas.get(id, 0)
            )
            for id in sorted({*old, *sure, *areas})
        }
        values: Values = {
            "labelled": {frame: stored.hash if rows else None},
            "scores": {frame: rows or None},
        }
        if pinned is not None:
            values["pins"] = {frame: sorted(pinned) or None}
        return values

    def blank(self) -> Labels:
        """Returns a label map without objects."""
        return np.zeros(self.frames.size, np.uint8)

    def tell(self) -> None:
        """Tells the pages that the state has changed."""
        self.events.send({"type": "state", "revision": self.history.revision})

    def state(self) -> dict[str, Any]:
        """Returns the state as the page gets it."""
        with self.lock:
            known = self.history.tables
            height, width = self.frames.size
            scores: dict[str, dict[str, Any]] = {id: {} for id in known["objects"]}
            for frame, rows in known["scores"].items():
                for id, row in rows.items():
                    scores.setdefault(id, {})[frame] = row
            return {
                "id": self.id,
                "name": self.name,
                "frames": self.frames.count,
                "width": width,
                "height": height,
                "fps": self.fps,
                "revision": self.history.revision,
                "objects": [
                    {"id": int(id), **known["objects"][id]}
                    for id in sorted(known["objects"], key=int)
                ],
                "pins": dict(known["pins"]),
                "labelled": dict(known["labelled"]),
                "scores": scores,
                "undo": self.history.undoable,
                "redo": self.history.redoable,
                "job": None if self.job is None else dict(self.job),
                "notes": list(self.history.notes),
            }

    def sync(self) -> None:
        """Waits until everything is on the disk."""
        self.maps.sync()
        with self.lock:
            if not self._closed:
                self.history.sync()

    def close(self) -> None:
        """Writes what is not on the disk yet."""
        self.events.close()
        with self.lock:
            if not self._closed:
                self.maps.close()
                self.history.close()
            self._closed = True
        self.frames.close()

    def _mend(self) -> None:
        """Removes label maps whose files did not outlive a power cut."""
        known = self.history.tables
        lost = [frame for frame, name in known["labelled"].items() if not _stored(self.maps, name)]
        if lost:
            change = tables.changed(
                known, {name: dict.fromkeys(lost) for name in ("labelled", "scores", "pins")}
            )
            self.history.do("frames lost in a power cut", change)
            self.history.notes.append(
                f"the label maps of {len(lost)} frame(s) did not reach the disk: propagate again"
            )


def score_row(probability: float, area: int) -> list[Any]:
    """Returns a row of the table of scores: [mean probability, area, absent].

    score_row(0.98, 2310)       # [0.98, 2310, 0]
    """
    return [round(float(probability), 4) if area else 0.0, int(area), int(area == 0)]


def probability_of(mask: npt.NDArray[np.bool_], probability: npt.NDArray[np.float32]) -> float:
    """Returns the mean probability inside a mask; 0 without a pixel."""
    return float(probability[mask].mean()) if mask.any() else 0.0


def _stored(maps: Maps, name: str) -> bool:
    try:
        return maps.path(name).stat().st_size > 0
    except OSError:
        return False
