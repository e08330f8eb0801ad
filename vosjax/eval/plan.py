"""What is known of a video before it runs: its memory, its shapes, who runs it and with whom."""

from collections.abc import Sequence
from typing import NamedTuple

from vosjax.eval import layout
from vosjax.tracking.step import remembered_frames

OBJECTS = (1, 2, 3, 4, 6, 8, 10)  # slots that programs are compiled for
SLOTS = 10  # of networks that take any number of objects


class Plan(NamedTuple):
    """Everything that decides a video's programs, and its clock; equal plans can share a batch.

    size      (H, W) of its frames
    given     indices of the frames that give objects
    slots     of a group
    groups    of slots
    capacity  memory frames
    gap       frames from one remembered frame to the next
    """

    size: tuple[int, int]
    given: tuple[int, ...]
    slots: int
    groups: int
    capacity: int
    gap: int


def balanced_gap(length: int, *, target: int, low: int = 1, high: int = 20) -> int:
    """The gap that puts about `target` of a video's frames into the memory.

    The dynamic sampling of arXiv 2206.09585, which gives no formula: long and short videos keep a
    like number of memory frames, so clip(round(length / target), low, high).

    Args:
      length: frames from the first that gives an object to the last.
      target: memory frames wanted.
      low: smallest gap.
      high: largest gap.
    """
    return min(max(round(length / target), low), high)


def plan(
    sequence: layout.EvalVideo, size: tuple[int, int], *, slots: int | None, gap: int, limit: int
) -> Plan:
    """The plan of a sequence.

    Capacities are powers of two and slots come in a few sizes, so that a dataset's many videos need
    few programs; neither changes a figure. As in `Tracker`, annotated frames are kept beyond the
    limit.

    Args:
      sequence: of a dataset.
      size: (H, W) of its frames.
      slots: of the network, None for any number.
      gap: frames from one remembered frame to the next.
      limit: most memory frames.
    """
    given = tuple(sorted(set(sequence.starts.values())))
    most = slots or SLOTS
    each = next((size for size in OBJECTS if size >= len(sequence.starts)), most)
    each = min(each, most)
    count = remembered_frames(len(sequence.frames), given, gap)
    capacity = min(1 << (count - 1).bit_length(), limit)
    if len(given) >= capacity and count > len(given):
        capacity = len(given) + 1
    return Plan(size, given, each, -(-len(sequence.starts) // each), capacity, gap)


def share(sequences: Sequence, part: int, parts: int) -> list:
    """The sequences of shard `part` (0-based) of `parts`: about the same number of frames for all.

    The longest are dealt out first, each to the shard with the least to do; every process computes
    the same shares.
    """
    loads, mine = [0] * parts, []
    for sequence in sorted(sequences, key=lambda each: (-len(each.frames), each.name)):
        least = loads.index(min(loads))
        loads[least] += len(sequence.frames)
        if least == part:
            mine.append(sequence)
    return mine


def batches(planned: Sequence[tuple], most: int, *, max_padding: float = 0.25) -> list[list]:
    """Groups (plan, sequence) pairs of equal plans, whose videos run together.

    Args:
      planned: the pairs.
      most: in a batch.
      max_padding: how much shorter than the longest a video of a batch may be, as a share: the others'
        frames are computed for it all the same.

    Returns:
      Lists of pairs, the ones with most frames first.
    """
    found = []
    for pair in sorted(planned, key=lambda pair: (pair[0], -len(pair[1].frames), pair[1].name)):
        batch = found[-1] if found else None
        if (
            batch
            and len(batch) < most
            and batch[0][0] == pair[0]
            and len(pair[1].frames) >= (1 - max_padding) * len(batch[0][1].frames)
        ):
            batch.append(pair)
        else:
            found.append([pair])
    return sorted(found, key=lambda batch: -sum(len(each.frames) for _, each in batch))
