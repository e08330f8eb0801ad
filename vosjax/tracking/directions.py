"""Which ways objects are followed from the frames they are given in, and two answers made one.

A forward pass begins at the first given frame, one backward at the last; each takes all masks that
it comes by. Between two frames that give an object both know it, before the first one only the pass
backward does, after the last one only the forward pass. Of an object that both know, the mask is
that of the pass that was given it nearer by (docs/directions.md has the measurement).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from vosjax.schema import NEVER
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.slots import IDS, HostArray


class Passes(NamedTuple):
    """What is done with a video.

    direction  'both', 'forward' or 'backward', as it comes to: from frame 0 there is only forward
    start      index of the frame that the backward pass begins with; None without such a pass
    note       a line where something else was asked for, or ''
    """

    direction: str
    start: int | None
    note: str = ""


def plan_passes(direction: str, given: Iterable[int], *, name: str, once: bool) -> Passes:
    """The passes over a video.

        plan_passes("both", [0, 60], name="dog.mp4", once=False).start      # 60

    Args:
        direction: what is asked for, one of `tracking.config.DIRECTIONS`.
        given: indices of the frames that have masks.
        name: of the video, for the note.
        once: whether the video can be read once only.
    """
    first, last = min(given), max(given)
    if once:
        return Passes("forward", None, _note_of_stream(direction, first, name))
    if direction == "forward" or (direction == "both" and last == 0):
        return Passes("forward", None)
    return Passes(direction, last)


def _note_of_stream(direction: str, first: int, name: str) -> str:
    forward = f"{name} can be read once only, so objects are followed forward alone"
    if direction == "backward":
        return f"{forward}, not backward as was asked"
    if direction == "both" and first > 0:
        return f"{forward}: the frames before frame {first}, the first with a mask, stay empty"
    return ""


def given_frames(masks: Mapping[int, HostArray]) -> dict[int, HostArray]:
    """{id: int [K], ascending indices of the frames in which the object is given}.

    given_frames({0: mask, 60: other})      # {1: [0, 60], 2: [60]}
    """
    frames: dict[int, list[int]] = {}
    for frame in sorted(masks):
        for id in np.unique(masks[frame]).tolist():
            if id:
                frames.setdefault(id, []).append(frame)
    return {id: np.array(indices) for id, indices in frames.items()}


def merge(
    index: int, forward: FrameOutput, backward: FrameOutput, given: Mapping[int, HostArray]
) -> FrameOutput:
    """What both passes say of a frame, as one.

        output = merge(30, forward, backward, given_frames(masks))

    Every object is taken from the pass that was given it fewer frames away; a pixel that two
    objects claim that way goes to the one that was given nearer by.

    Args:
        index: of the frame.
        forward: of the forward pass.
        backward: of the backward pass.
        given: of `given_frames`.
    """
    distance = np.full(IDS, NEVER)
    tables = np.zeros((2, IDS), np.uint8)  # what a label of either pass counts as
    scores = {}
    for id in sorted(forward.scores.keys() | backward.scores.keys()):
        known = [id in forward.scores, id in backward.scores]
        steps = _distances(index, given[id])
        chosen = min((side for side in (0, 1) if known[side]), key=lambda side: steps[side])
        distance[id], tables[chosen, id] = steps[chosen], id
        scores[id] = (forward, backward)[chosen].scores[id]
    first, second = tables[0][forward.labels], tables[1][backward.labels]
    nearer = distance[first] <= distance[second]
    labels = np.where((second == 0) | ((first > 0) & nearer), first, second)
    areas = np.bincount(labels.ravel(), minlength=IDS)
    for id, score in scores.items():
        area = int(areas[id])
        scores[id] = score._replace(area=area, absent=area == 0)
    return FrameOutput(labels, scores)


def _distances(index: int, frames: HostArray) -> tuple[int, int]:
    """Frames from the last given one up to `index`, and from `index` to the next given one."""
    before, after = frames[frames <= index], frames[frames >= index]
    return (
        int(index - before[-1]) if before.size else NEVER,
        int(after[0] - index) if after.size else NEVER,
    )
