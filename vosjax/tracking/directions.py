"""Decides in which directions objects are tracked, and merges the outputs of both passes.

A forward pass begins at the first frame with a given mask, a backward pass at the last one; each
takes every given mask that it meets. Between two frames in which an object is given, both passes
know it; before the first such frame only the backward pass does, after the last one only the
forward pass. For an object that both know, the mask is taken from the pass that was given it fewer
frames away (docs/directions.md has the measurement).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from vosjax.schema import NEVER
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.slots import IDS, HostArray


class Passes(NamedTuple):
    """The passes that are made over a video.

    direction  'both', 'forward' or 'backward', as carried out: if only frame 0 has a mask, 'both'
               becomes 'forward'
    start      index of the frame at which the backward pass begins; None without a backward pass
    note       a line for the user if something else was asked for, else ''
    """

    direction: str
    start: int | None
    note: str = ""


def plan_passes(direction: str, given: Iterable[int], *, name: str, once: bool) -> Passes:
    """Plans the passes over a video.

        plan_passes("both", [0, 60], name="dog.mp4", once=False).start      # 60

    Args:
        direction: the direction that was asked for, one of `tracking.config.DIRECTIONS`.
        given: indices of the frames that have masks.
        name: the video's name, for the note.
        once: whether the video can be read only once, which rules out a backward pass.

    Returns:
        The passes, with a note where they are not what was asked for.
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
    """Returns, for each object id, the indices of the frames in which the object is given.

        given_frames({0: mask, 60: other})      # {1: [0, 60], 2: [60]}

    Args:
        masks: {frame index: labels [H, W] of object ids}.

    Returns:
        {id: int [K] of frame indices in ascending order}.
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
    """Merges what both passes say of a frame.

        output = merge(30, forward, backward, given_frames(masks))

    Each object is taken from the pass that was given it fewer frames away. A pixel that two objects
    claim in this way goes to the object that was given fewer frames away.

    Args:
        index: index of the frame.
        forward: the frame's output of the forward pass.
        backward: the frame's output of the backward pass.
        given: {id: indices of the frames in which the object is given}, from `given_frames`.

    Returns:
        The merged labels, and the scores with the areas of the merged masks.
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
    """Returns the frames since the last given one, and those until the next given one."""
    before, after = frames[frames <= index], frames[frames >= index]
    return (
        int(index - before[-1]) if before.size else NEVER,
        int(after[0] - index) if after.size else NEVER,
    )
