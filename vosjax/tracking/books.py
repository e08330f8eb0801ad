"""What a tracker knows besides arrays, and how it is read back from a file that may be damaged."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from vosjax.schema import NEVER, parse
from vosjax.tracking.slots import IDS, MemoryCounters, ObjectSlots

LARGEST = 1 << 20  # frames of a memory, and slots; far beyond what any device holds


@dataclasses.dataclass
class Books:
    """What a tracker knows besides arrays; as JSON it is `dataclasses.asdict` of this.

    weights         sha256 of the network's
    mem_every       frames from one remembered frame to the next
    max_mem_frames  most memory frames
    max_short_side  most pixels of the short side that the network sees, or None
    size            (H, W) of the user's frames; None before the first one
    time            index of the next frame
    objects         which object is in which slot
    memory          what the memory holds
    refined         {name: how many}, what the refinement of the output counted; {} without one
    """

    weights: str
    mem_every: int
    max_mem_frames: int
    max_short_side: int | None
    size: tuple[int, int] | None
    time: int
    objects: ObjectSlots
    memory: MemoryCounters
    refined: dict[str, int] = dataclasses.field(default_factory=dict)


class _Fields(NamedTuple):
    """The types of the books' fields."""

    weights: str
    mem_every: int
    max_mem_frames: int
    max_short_side: int | None
    size: tuple[int, int] | None
    time: int
    objects: dict[str, Any]
    memory: dict[str, Any]
    refined: dict[str, int] = {}


class _Objects(NamedTuple):
    """Likewise of `ObjectSlots`."""

    group: int
    ids: tuple[int, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]
    used: int
    freed: tuple[int, ...]


class _Memory(NamedTuple):
    """Likewise of `MemoryCounters`."""

    capacity: int
    filled: int
    last: int
    annotated: dict[str, tuple[int, ...]]


def read_books(values: Mapping[str, Any]) -> Books:
    """Books from JSON.

        read_books(dataclasses.asdict(books))

    Raises:
        ValueError, TypeError: they cannot be a tracker's; the message says why.
    """
    fields = parse(_Fields, values)
    objects = _objects(parse(_Objects, fields.objects), fields.time)
    memory = _memory(parse(_Memory, fields.memory), fields, objects)
    for name in ("mem_every", "max_mem_frames"):
        _hold(1 <= getattr(fields, name) <= NEVER, f"{name} is {getattr(fields, name)}")
    side = fields.max_short_side
    _hold(side is None or 1 <= side <= NEVER, f"max_short_side is {side}")
    _hold(0 <= fields.time <= NEVER, f"time is {fields.time}")
    _hold(fields.size is None or min(fields.size) >= 1, f"size is {fields.size}")
    _hold(min(fields.refined.values(), default=0) >= 0, f"refined is {fields.refined}")
    _hold(fields.size is not None or not objects.followed, "it has objects and no size")
    return Books(**fields._asdict() | {"objects": objects, "memory": memory})


def _objects(fields: _Objects, time: int) -> ObjectSlots:
    count = len(fields.ids) - 1
    followed = [id for id in fields.ids if id]
    slots = range(1, count + 1)
    _hold(1 <= fields.group <= LARGEST, f"objects.group is {fields.group}")
    _hold(
        count >= 1 and count % fields.group == 0 and fields.ids[0] == 0,
        f"objects.ids is of {count} slots in groups of {fields.group}",
    )
    _hold(
        len(fields.first) == len(fields.last) == len(fields.ids),
        "objects.ids, objects.first and objects.last differ in length",
    )
    _hold(all(0 <= id < IDS for id in fields.ids), f"an object's id is not of 1 to {IDS - 1}")
    _hold(len(set(followed)) == len(followed), "an object is in two slots")
    _hold(0 <= fields.used <= count, f"objects.used is {fields.used} of {count} slots")
    # What follows from the ids is taken from there.
    used = max([fields.used, *(slot for slot in slots if fields.ids[slot])])
    last = [NEVER if id else last for id, last in zip(fields.ids, fields.last)]
    _hold(
        len(set(fields.freed)) == len(fields.freed)
        and all(1 <= slot <= used for slot in fields.freed)
        and not any(fields.ids[slot] for slot in fields.freed),
        f"objects.freed is {list(fields.freed)[:20]}",
    )
    _hold(
        all(0 <= first <= max(time, 0) for first in fields.first)
        and all(-1 <= frame < max(time, 1) or frame == NEVER for frame in last)
        and not any(frame == NEVER and not id for id, frame in zip(fields.ids, last)),
        "objects.first or objects.last is no frame of the video",
    )
    return ObjectSlots(
        fields.group,
        list(fields.ids),
        list(fields.first),
        last,
        used,
        list(fields.freed),
    )


def _memory(fields: _Memory, books: _Fields, objects: ObjectSlots) -> MemoryCounters:
    # A memory grows to its limit; only one that is full of annotated frames is doubled beyond it.
    most = min(max(books.max_mem_frames, 2 * books.time), LARGEST)
    annotated = {int(time): list(slots) for time, slots in fields.annotated.items()}
    _hold(1 <= fields.capacity <= most, f"memory.capacity is {fields.capacity}")
    _hold(0 <= fields.filled <= fields.capacity, f"memory.filled is {fields.filled}")
    _hold(0 <= fields.last <= books.time, f"memory.last is {fields.last}")
    _hold(
        len(annotated) <= fields.capacity
        and all(0 <= time < books.time for time in annotated)
        and all(
            slots and all(1 <= slot <= objects.used for slot in slots)
            for slots in annotated.values()
        ),
        "memory.annotated does not agree with the frames and slots that there are",
    )
    return MemoryCounters(fields.capacity, fields.filled, fields.last, annotated)


def _hold(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"its numbers contradict each other: {problem}")
