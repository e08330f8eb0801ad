"""Choosing the frames of a video that make a clip: AOT's gaps and STCN's skips."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.datasets.protocol import Header

Indices = npt.NDArray[np.integer]


class Candidates(NamedTuple):
    """The frames of a video that a clip may be made of.

    frames  int [A]     their indices in ascending order
    areas   int [A, N]  pixels of each object in each of these frames
    """

    frames: Indices
    areas: npt.NDArray[np.integer]


def candidates(header: Header) -> Candidates:
    """Returns the annotated frames of a video.

        frames = candidates(source.header(0))

    A video without any object yields all of its frames, which then count as background.
    """
    if not len(header.ids):
        return Candidates(np.arange(header.length), np.zeros((header.length, 0), int))
    frames = np.array(header.annotated, int)
    return Candidates(frames, header.areas[frames])


def reflected(indices: Indices, count: int) -> Indices:
    """Folds indices, int [...], back into 0..count-1 by reflection at both ends.

        reflected(np.array([1, 2, 3, 4]), 3)  # [1, 2, 1, 0]

    An index i >= count becomes 2 (count - 1) - i, as often as needed.
    """
    if count == 1:
        return np.zeros_like(indices)
    period = 2 * (count - 1)
    indices = np.mod(indices, period)
    return np.minimum(indices, period - indices)


def by_gaps(
    areas: npt.NDArray[np.integer],
    frames: int,
    *,
    max_gap: int,
    rng: np.random.Generator,
    reverse: float = 0.5,
    attempts: int = 5,
    least: int = 200,
) -> Indices:
    """Chooses the frames of a clip by AOT's rule, as in its public training code.

        indices = by_gaps(areas, 5, max_gap=3, rng=np.random.default_rng(0))

    The reference is a random frame with more than `least` object pixels, or the first frame if
    there is none. The others follow at random gaps of 1..max_gap frames, reflected at the end of
    the video. A choice in which a later frame shows an object that the reference lacks is drawn
    again.

    Args:
        areas: int [A, N], pixels of each object in each frame.
        frames: number of frames of the clip, including the reference.
        max_gap: largest distance between two consecutive frames of the clip.
        rng: source of all random choices.
        reverse: probability that the video is played backward.
        attempts: most draws; the last one is taken whatever it shows.
        least: object pixels that the reference must exceed.

    Returns:
        Indices int [frames] into `areas`, the reference first.
    """
    count = len(areas)
    order = np.arange(count)[::-1] if rng.random() < reverse else np.arange(count)
    areas = areas[order]
    references = np.flatnonzero(areas.sum(1) > least)
    for _ in range(attempts):
        reference = references[rng.integers(len(references))] if len(references) else 0
        steps = rng.integers(1, max_gap + 1, frames - 1)
        indices = reflected(np.concatenate([[reference], reference + np.cumsum(steps)]), count)
        later = (areas[indices[1:]] > 0).any(0) if frames > 1 else np.zeros(areas.shape[1], bool)
        if not (later & (areas[indices[0]] == 0)).any():
            break
    return order[indices]


def by_skip(
    count: int, frames: int, *, skip: int, rng: np.random.Generator, reverse: float = 0.5
) -> Indices:
    """Chooses the frames of a clip by STCN's rule, as in its public training code.

        indices = by_skip(27, 3, skip=5, rng=np.random.default_rng(0))

    The first frame is at most count - skip. Each following frame is 1..skip + 1 later, but the k-th
    is at most count - skip // k; this bound may repeat a frame.

    Args:
        count: number of frames of the video.
        frames: number of frames of the clip.
        skip: largest number of frames that are skipped.
        rng: source of all random choices.
        reverse: probability that the clip is played backward.

    Returns:
        Indices int [frames] in 0..count-1.
    """
    skip = min(count, skip)
    indices = [int(rng.integers(count - skip + 1))]
    indices[0] = min(indices[0], count - 1)
    for k in range(1, frames):
        step = 1 + int(rng.integers(skip + 1))
        indices.append(min(indices[-1] + step, count - skip // k, count - 1))
    return np.array(indices[::-1] if rng.random() < reverse else indices)


def skip_curriculum(steps: int, *, last: float = 0.9) -> tuple[tuple[int, int], ...]:
    """Returns STCN's curriculum of skips: 5, 10, 15, 20, 25, and 5 again at the end.

        skip_curriculum(1000)  # ((0, 5), (100, 10), (200, 15), (300, 20), (400, 25), (900, 5))

    Args:
        steps: training steps of the whole stage.
        last: share of these steps after which the skip falls back to 5 (0.9; 0.8 on BL30K).

    Returns:
        Pairs (first step, skip) in the order of the steps.
    """
    shares = (0.0, 0.1, 0.2, 0.3, 0.4, last)
    return tuple(
        (round(steps * share), skip) for share, skip in zip(shares, (5, 10, 15, 20, 25, 5))
    )
