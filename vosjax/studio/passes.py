"""Plans how masks go from a frame to the others: where each object's way begins and ends.

A frame that the user marked or corrected is pinned for the objects that were given there. An
object's way ends before the next frame that is pinned for it. Where it is followed in both
directions, it goes up to the middle between two pinned frames, so that every frame has the mask of
the nearer one (the rule of `tracking.directions`); what lies beyond the middle is left as it is, or
made from that other frame if nothing was made of it yet.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from vosjax.errors import InputError
from vosjax.tracking.config import DIRECTIONS

FORWARD, BACKWARD = 1, -1
Pins = Mapping[int, Collection[int]]  # {frame: ids of the objects that are pinned there}


class Pass(NamedTuple):
    """One way of a tracker through a video.

    start   index of the frame that it begins at, whose masks are known
    step    1 forward, -1 backward
    limits  {id: index of the last frame whose mask is made}, for the objects that are followed
    """

    start: int
    step: int
    limits: dict[int, int]

    @property
    def frames(self) -> range:
        """The frames of which masks are made, in their order."""
        last = max(self.limits.values(), key=lambda limit: limit * self.step)
        return range(self.start + self.step, last + self.step, self.step)


def plan(
    frame: int,
    direction: str,
    *,
    count: int,
    ids: Iterable[int],
    pins: Pins,
    made: Callable[[int, int], bool],
    to: int | None = None,
) -> list[Pass]:
    """Plans the passes from a frame.

        plan(0, "forward", count=100, ids=[1], pins={0: [1], 60: [1]}, made=lambda *_: False)
        # [Pass(start=0, step=1, limits={1: 59})]

    Args:
        frame: index of the frame whose masks are followed.
        direction: 'forward', 'backward' or 'both'.
        count: number of frames of the video.
        ids: the objects whose masks of this frame are followed.
        pins: the pinned frames.
        made: made(id, frame) tells whether an object's mask of a frame was made before.
        to: index of the last frame to be made; None for no limit but the pinned frames.

    Returns:
        The passes in their order; those without a frame are left out.

    Raises:
        InputError: the direction is unknown, or a frame is not one of the video's or lies on the
            other side.
    """
    if direction not in DIRECTIONS:
        raise InputError(f"direction is {direction!r}; {', '.join(DIRECTIONS)} are expected")
    for index in (frame, frame if to is None else to):
        if not 0 <= index < count:
            raise InputError(f"there is no frame {index}: the video has {count}, counted from 0")
    limits: dict[tuple[int, int], dict[int, int]] = {}
    for step in (FORWARD, BACKWARD):
        if direction == ("backward" if step == FORWARD else "forward"):
            continue
        if to is not None and (to - frame) * step <= 0 and direction != "both":
            raise InputError(f"frame {to} does not lie {direction} from frame {frame}")
        for id in ids:
            end = _end(frame, step, count, to)
            pinned = _next_pinned(id, frame, step, pins, count)
            if pinned is not None and direction == "both":
                middle = _middle(frame, pinned)
                beyond = range(middle + step, pinned, step)
                if (pinned - end) * step <= 0 and not all(made(id, index) for index in beyond):
                    limits.setdefault((pinned, -step), {})[id] = middle + step
                end = min(end, middle, key=lambda index: index * step)
            elif pinned is not None:
                end = min(end, pinned - step, key=lambda index: index * step)
            limits.setdefault((frame, step), {})[id] = end
    passes = [Pass(start, step, ends) for (start, step), ends in limits.items()]
    passes.sort(key=lambda way: way.start != frame)  # its own passes come first
    return [way for way in passes if way.frames]


def _end(frame: int, step: int, count: int, to: int | None) -> int:
    edge = count - 1 if step == FORWARD else 0
    return edge if to is None or (to - frame) * step <= 0 else to


def _next_pinned(id: int, frame: int, step: int, pins: Pins, count: int) -> int | None:
    ahead = [at for at, ids in pins.items() if (at - frame) * step > 0 and id in ids]
    return min(ahead, key=lambda at: at * step) if ahead else None


def _middle(frame: int, pinned: int) -> int:
    """Returns the last frame on the way to a pinned one that is the nearer one's own.

    A frame in the very middle belongs to the earlier of the two.
    """
    if pinned > frame:
        return (frame + pinned) // 2
    return (frame + pinned) // 2 + 1
