"""Which objects are segmented again in enlarged crops, and in which frames: the small ones."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

SHORT_SIDE = 480  # pixels of the frame in which the areas below are counted
ENTER = 32**2  # pixels below which an object is small: the bound of COCO's small objects
LEAVE = 2 * ENTER  # pixels above which an object that was small is so no longer
VISIBLE = 40  # pixels below which an object counts as not seen
SHORTEST = 5  # frames of the shortest run of frames that is worth a clip
AROUND = 5  # frames by which a clip reaches out to either side
LONGEST = 96  # frames of the longest clip: what is held in memory at a time
MOST_OBJECTS = 5  # objects of a video that are zoomed: each costs as much as a pass over crops
WINDOW = 5  # frames over which the area is smoothed by a median


class Clip(NamedTuple):
    """Frames `start` to `stop - 1` of a video, in which one object is small.

    id     the object's id
    start  index of the first frame
    stop   index of the frame after the last one
    """

    id: int
    start: int
    stop: int


def scale(size: tuple[int, int]) -> float:
    """Returns the pixels of a frame's side for each pixel of a frame with a short side of 480.

        scale((1080, 1920))      # 2.25

    Args:
        size: (H, W) of the frame.
    """
    return min(size) / SHORT_SIDE


def small_runs(areas: Any) -> list[tuple[int, int]]:
    """Returns the runs of frames in which an object is small.

        small_runs([900.0] * 20 + [5000.0] * 20)      # [(0, 20)]

    The area, as the median of the visible frames among five, must fall below 1024 pixels for a run
    to begin, and rise above 2048 for it to end. Frames in which the object is not seen change
    nothing. A run begins and ends with a frame in which it is seen.

    Args:
        areas: float [T], soft areas at a short side of 480 pixels.

    Returns:
        Pairs (start, stop) of at least five frames, ascending.
    """
    areas = np.asarray(areas, np.float64)
    visible = areas >= VISIBLE
    half, small, states = WINDOW // 2, False, np.zeros(len(areas), bool)
    for time in range(len(areas)):
        near = slice(max(time - half, 0), time + half + 1)
        if visible[time]:
            area = np.median(areas[near][visible[near]])
            small = area <= LEAVE if small else area < ENTER
        states[time] = small
    return [
        run
        for start, stop in _runs(states)
        for run in _trimmed(visible, start, stop)
        if run[1] - run[0] >= SHORTEST
    ]


def lost_runs(areas: Any, found: Any) -> list[tuple[int, int]]:
    """Returns the runs of frames in which masks lost an object that the box tracker still sees.

        lost_runs(areas, found=flags == 0)

    Args:
        areas: float [T], soft areas at a short side of 480 pixels.
        found: bool [T], whether the box tracker reports the object without reservation.

    Returns:
        Pairs (start, stop) of at least five frames, ascending.
    """
    lost = (np.asarray(areas) < VISIBLE) & np.asarray(found, bool)
    return [(start, stop) for start, stop in _runs(lost) if stop - start >= SHORTEST]


def choose_clips(
    areas: Mapping[int, Any],
    given: Mapping[int, float],
    found: Mapping[int, Any],
    *,
    most: int = MOST_OBJECTS,
) -> list[Clip]:
    """Chooses the clips of a video: which objects, and which frames.

        clips = choose_clips({1: areas}, given={1: 700.0}, found={})

    Clips are the runs of `small_runs`, and of `lost_runs` for objects whose given mask is below
    2048 pixels, each reaching five frames further to either side. The smallest objects come first,
    since a crop enlarges them most for the same cost.

    Args:
        areas: {id: float [T]}, soft areas in all frames at a short side of 480 pixels.
        given: {id: area of the object's first given mask}, likewise.
        found: {id: bool [T]}, where the box tracker sees the object; objects may be left out.
        most: number of objects, at most.

    Returns:
        Clips of at most 96 frames, in the order of their objects and then of their frames.
    """
    chosen: list[tuple[float, int, list[tuple[int, int]]]] = []
    for id, own in areas.items():
        own = np.asarray(own, np.float64)
        runs = small_runs(own)
        if id in found and given.get(id, np.inf) < LEAVE:
            runs += lost_runs(own, found[id])
        if runs:
            inside = np.concatenate([own[start:stop] for start, stop in runs])
            seen = inside[inside >= VISIBLE]
            area = float(np.median(seen)) if seen.size else given[id]
            chosen.append((area, id, extended(runs, len(own))))
    return [
        Clip(id, *part)
        for _, id, runs in sorted(chosen)[:most]
        for run in runs
        for part in pieces(*run)
    ]


def extended(runs: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Returns runs that reach five frames further; those that then touch become one.

        extended([(0, 10), (18, 30)], length=40)      # [(0, 35)]

    Args:
        runs: pairs (start, stop) in any order.
        length: frames of the video.
    """
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(runs):
        start, stop = max(start - AROUND, 0), min(stop + AROUND, length)
        if merged and start <= merged[-1][1]:
            start, stop = merged[-1][0], max(stop, merged.pop()[1])
        merged.append((start, stop))
    return merged


def pieces(start: int, stop: int, longest: int | None = None) -> list[tuple[int, int]]:
    """Cuts a run into equal parts of at most `longest` frames, by default 96.

    pieces(0, 100)      # [(0, 50), (50, 100)]
    """
    count = -(-(stop - start) // (longest or LONGEST))
    edges = [start + (stop - start) * part // count for part in range(count + 1)]
    return list(zip(edges, edges[1:]))


def _runs(flags: Any) -> list[tuple[int, int]]:
    """Pairs (start, stop) of the runs of true flags [T]."""
    steps = np.diff(np.concatenate([[0], np.asarray(flags, np.int8), [0]]))
    return list(zip(np.flatnonzero(steps > 0).tolist(), np.flatnonzero(steps < 0).tolist()))


def _trimmed(visible: Any, start: int, stop: int) -> list[tuple[int, int]]:
    """The run without the frames at its ends in which the object is not seen."""
    seen = np.flatnonzero(visible[start:stop])
    return [(start + int(seen[0]), start + int(seen[-1]) + 1)] if seen.size else []
