"""The tracker's records on the host: which object is in which slot, and what the memory holds.

Slot n, counted from 1, is channel n of the network's probabilities; `ids[n]` is the user's id of
the object in it, or 0 if it is empty. Slot 0 is the background.
"""

import dataclasses
from typing import Any

import numpy as np

from vosjax.schema import NEVER
from vosjax.types import Release

IDS = 256  # the user's ids are 0, the background, to 255

HostArray = np.ndarray[Any, Any]


def checked_labels(labels: HostArray, size: tuple[int, int]) -> HostArray:
    """Checks the labels of a frame and returns them as uint8 [H, W].

        labels = checked_labels(mask, (480, 854))

    Args:
        labels: integers [H, W] of object ids 1..255, 0 for pixels that are not marked.
        size: the frame's size (H, W).

    Raises:
        ValueError: the labels have another dtype or shape, mark no object, or hold ids out of
            range.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub" or labels.shape != size:
        raise ValueError(
            f"labels were given as {labels.dtype} {list(labels.shape)}; integers {list(size)}, as "
            "the frame, are expected"
        )
    if not labels.any() or labels.min() < 0 or labels.max() >= IDS:
        raise ValueError(
            f"labels hold ids {labels.min()} to {labels.max()}; at least one object is expected, "
            f"and ids up to {IDS - 1}"
        )
    return labels.astype(np.uint8)


def to_slots(labels: HostArray, ids: Any) -> tuple[HostArray, HostArray]:
    """Converts labels of object ids to labels of slots.

        slots, given = to_slots(mask, ids=[0, 7, 200])      # 7 becomes 1, 200 becomes 2

    Args:
        labels: integers [H, W] of ids 0..255.
        ids: integers [N+1], the id of the object in each slot.

    Returns:
        Labels int32 [H, W] of slots, and bool [N], which slots have at least one pixel.

    Raises:
        ValueError: an id is in no slot.
    """
    ids = np.asarray(ids)
    marked = np.unique(labels)
    unknown = sorted(set(marked.tolist()) - set(ids.tolist()) - {0})
    if unknown:
        raise ValueError(f"object ids {unknown} have no slot; known are {ids[ids > 0].tolist()}")
    table = np.zeros(IDS, np.int32)
    table[ids] = np.arange(len(ids))
    table[0] = 0
    return table[labels], np.isin(ids[1:], marked) & (ids[1:] > 0)


def to_ids(slots: Any, ids: Any) -> Any:
    """Converts labels of slots to labels of object ids: the inverse of `to_slots`.

        labels = to_ids(probs.argmax(0), ids)

    It works on the host and in traced code.

    Args:
        slots: integers [H, W] of slots 0..N.
        ids: uint8 [N+1], the id of the object in each slot.

    Returns:
        Labels uint8 [H, W] of ids.
    """
    return ids[slots]


@dataclasses.dataclass
class ObjectSlots:
    """Records which object is in which slot.

    group  number of slots in one group (`compose.groups`)
    ids    [N+1] id of the object in each slot, 0 for an empty slot
    first  [N+1] index of the first frame in which each slot held its latest object
    last   [N+1] index of the last such frame; NEVER while the object is tracked, -1 for a slot that
           has held none
    used   number of slots handed out so far; higher slots have never held an object
    freed  slots whose objects were removed, beginning with the one that was freed first
    """

    group: int
    ids: list[int]
    first: list[int]
    last: list[int]
    used: int = 0
    freed: list[int] = dataclasses.field(default_factory=list)

    @classmethod
    def empty(cls, group: int, groups: int) -> "ObjectSlots":
        """Makes slots that hold no object: `ObjectSlots.empty(group=10, groups=1)`."""
        count = group * groups + 1
        return cls(group, [0] * count, [0] * count, [-1] * count)

    @property
    def groups(self) -> int:
        """The number of groups."""
        return self.count // self.group

    @property
    def count(self) -> int:
        """The number of slots N."""
        return len(self.ids) - 1

    @property
    def followed(self) -> dict[int, int]:
        """{id: slot} of the objects that are tracked."""
        return {id: slot for slot, id in enumerate(self.ids) if id}

    def never_used(self) -> int | None:
        """Returns the first slot that has never held an object, or None if there is none left."""
        return self.used + 1 if self.used < self.count else None

    def put(self, id: int, slot: int, time: int) -> None:
        """Records that an object is tracked in a slot from frame `time` on."""
        self.ids[slot], self.first[slot], self.last[slot] = id, time, NEVER
        self.used = max(self.used, slot)
        if slot in self.freed:
            self.freed.remove(slot)

    def remove(self, id: int, time: int) -> int:
        """Records that an object is no longer tracked from frame `time` on; returns its slot."""
        slot = self.followed[id]
        self.ids[slot], self.last[slot] = 0, time - 1
        self.freed.append(slot)
        return slot

    def add_group(self) -> None:
        """Adds one group of empty slots."""
        self.ids += [0] * self.group
        self.first += [0] * self.group
        self.last += [-1] * self.group


@dataclasses.dataclass
class MemoryCounters:
    """Counts what the network's memory holds, on the host so that no frame has to wait for it.

    capacity   number of frames that it has room for
    filled     number of frames that were remembered, at most `capacity`
    last       index of the last remembered frame
    annotated  {index of an annotated frame: slots given in it}, for objects that are still tracked;
               these frames are pinned
    """

    capacity: int
    filled: int = 0
    last: int = 0
    annotated: dict[int, list[int]] = dataclasses.field(default_factory=dict)

    def needed(self, max_mem_frames: int) -> int:
        """Returns the capacity for one more frame: doubled if the memory is full and may grow.

        Annotated frames are always kept, so a memory full of them grows beyond the limit.

        Args:
            max_mem_frames: the largest capacity, unless all frames in the memory are annotated.
        """
        pinned = len(self.annotated) == self.capacity
        if self.filled == self.capacity and (self.capacity < max_mem_frames or pinned):
            return 2 * self.capacity if pinned else min(2 * self.capacity, max_mem_frames)
        return self.capacity

    def remember(self, time: int, slots: list[int]) -> None:
        """Counts a frame that enters the memory, with the slots that are given in it."""
        self.filled = min(self.filled + 1, self.capacity)
        self.last = time
        if slots:
            self.annotated[time] = slots

    def forget(self, slot: int) -> None:
        """Removes a slot from the annotated frames; those without a tracked object are unpinned."""
        left = {time: [n for n in slots if n != slot] for time, slots in self.annotated.items()}
        self.annotated = {time: slots for time, slots in left.items() if slots}


def release(objects: ObjectSlots, memory: MemoryCounters, reclaim: int | None = None) -> Release:
    """Returns what `Vos.forget` needs to know about the objects that come and go.

        state, free = vos.forget(state, release(objects, memory, reclaim=3))

    Args:
        objects: the slots.
        memory: the counters.
        reclaim: a slot to be cleared for another object, or None.
    """
    annotated = np.full(memory.capacity, -1, np.int32)
    annotated[: len(memory.annotated)] = list(memory.annotated)
    slots = np.arange(1, objects.count + 1)
    return Release(
        np.array(objects.ids[1:]) > 0,
        slots == (0 if reclaim is None else reclaim),
        np.array(objects.first[1:], np.int32),
        np.array(objects.last[1:], np.int32),
        annotated,
    )
