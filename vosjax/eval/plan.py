"""Plans videos before they run: memory and shapes, shares of processes, and batches."""

from collections.abc import Sequence
from typing import NamedTuple

from vosjax.eval.videos import EvalVideo
from vosjax.tracking.step import remembered_frames

OBJECTS = (1, 2, 3, 4, 6, 8, 10)  # numbers of slots that programs are compiled for
SLOTS = 10  # most slots of a group for networks that take any number of objects


class Plan(NamedTuple):
    """Everything that decides a video's programs and memory; equal plans can share a batch.

    size       (H, W) of its frames
    annotated  indices of the frames that give objects
    slots      number of slots of a group
    groups     number of groups of slots
    capacity   number of memory frames that there is room for
    mem_every  frames from one remembered frame to the next
    """

    size: tuple[int, int]
    annotated: tuple[int, ...]
    slots: int
    groups: int
    capacity: int
    mem_every: int


def balanced_mem_every(length: int, *, target: int, low: int = 1, high: int = 20) -> int:
    """Returns the interval at which about `target` frames of a video are remembered.

        balanced_mem_every(150, target=30)  # 5

    This is the dynamic sampling of arXiv 2206.09585, by which long and short videos keep a similar
    number of memory frames. The paper gives no formula; this one is
    clip(round(length / target), low, high).

    Args:
        length: frames from the first that gives an object to the last of the video.
        target: desired number of memory frames.
        low: smallest interval.
        high: largest interval.
    """
    return min(max(round(length / target), low), high)


def plan(
    video: EvalVideo,
    size: tuple[int, int],
    *,
    slots: int | None,
    mem_every: int,
    max_mem_frames: int,
) -> Plan:
    """Plans a video.

        plan(video, (480, 854), slots=10, mem_every=5, max_mem_frames=32).capacity  # 16

    Capacities are powers of two and slots come in a few numbers, so that the many videos of a
    dataset need few programs; neither changes a result. As in `Tracker`, annotated frames are kept
    even beyond the limit.

    Args:
        video: a video of a dataset.
        size: (H, W) of its frames.
        slots: number of slots of the network; None if it takes any number of objects.
        mem_every: frames from one remembered frame to the next.
        max_mem_frames: most memory frames.
    """
    annotated = tuple(sorted(set(video.starts.values())))
    most = slots or SLOTS
    group = min(next((count for count in OBJECTS if count >= len(video.starts)), most), most)
    count = remembered_frames(len(video.frames), annotated, mem_every)
    capacity = min(1 << (count - 1).bit_length(), max_mem_frames)
    if len(annotated) >= capacity and count > len(annotated):
        capacity = len(annotated) + 1
    return Plan(size, annotated, group, -(-len(video.starts) // group), capacity, mem_every)


def share(videos: Sequence[EvalVideo], part: int, parts: int) -> list[EvalVideo]:
    """Returns the videos of one of several shards with about equal numbers of frames.

        mine = share(videos, part=0, parts=4)

    The longest videos are assigned first, each to the shard with the fewest frames so far. All
    processes compute the same shards.

    Args:
        videos: all videos.
        part: number of the shard, from 0.
        parts: number of shards.
    """
    loads, mine = [0] * parts, []
    for video in sorted(videos, key=lambda video: (-len(video.frames), video.name)):
        least = loads.index(min(loads))
        loads[least] += len(video.frames)
        if least == part:
            mine.append(video)
    return mine


def batches(
    planned: Sequence[tuple[Plan, EvalVideo]], most: int, *, max_padding: float = 0.25
) -> list[list[tuple[Plan, EvalVideo]]]:
    """Groups videos with equal plans into batches.

        for batch in batches(planned, most=4):
            print([video.name for _, video in batch])

    Args:
        planned: (plan, video) pairs.
        most: most videos in a batch.
        max_padding: how much shorter than the longest video of a batch another may be, as a share
            of the longest one's frames, which are computed for all.

    Returns:
        Lists of pairs, the batch with the most frames first.
    """
    groups: list[list[tuple[Plan, EvalVideo]]] = []
    for plan, video in sorted(
        planned, key=lambda pair: (pair[0], -len(pair[1].frames), pair[1].name)
    ):
        group = groups[-1] if groups else None
        if (
            group
            and len(group) < most
            and group[0][0] == plan
            and len(video.frames) >= (1 - max_padding) * len(group[0][1].frames)
        ):
            group.append((plan, video))
        else:
            groups.append([(plan, video)])
    return sorted(groups, key=lambda group: -sum(len(video.frames) for _, video in group))
