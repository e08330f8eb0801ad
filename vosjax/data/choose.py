"""Which frames of a video make a clip: AOT's gaps and STCN's skips."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.datasets.protocol import Header

Indices = npt.NDArray[np.integer]


class Candidates(NamedTuple):
    """The frames of a video that a clip may be made of.

    frames  int [A]     their indices, rising
    areas   int [A, N]  pixels of each object in each of them
    """

    frames: Indices
    areas: npt.NDArray[np.integer]


def candidates(header: Header) -> Candidates:
    """The annotated frames of a video.

        frames = candidates(source.header(0))

    Of a video without any object all frames, which are background then.
    """
    if not len(header.ids):
        return Candidates(np.arange(header.length), np.zeros((header.length, 0), int))
    frames = np.array(header.annotated, int)
    return Candidates(frames, header.areas[frames])


def reflected(indices: Indices, count: int) -> Indices:
    """Indices int [...] folded back into 0..count-1 at both ends.

        reflected(np.array([1, 2, 3, 4]), 3)  # [1, 2, 1, 0]

    An index i from count on becomes 2 (count - 1) - i, repeatedly.
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
    """Indices int [frames] of a clip in time order, by AOT's rule (its public training code).

        indices = by_gaps(areas, 5, max_gap=3, rng=np.random.default_rng(0))

    The video is turned round with probability `reverse`. The reference is a random frame with more
    than `least` object pixels (the first one if there is none); the others follow at gaps of
    1..max_gap, reflected at the end. A choice in which a later frame shows an object that the
    reference lacks is made anew, up to `attempts` times; then the last one is taken.

    Args:
        areas: int [A, N], pixels of each object in each frame.
        frames: of the clip, the reference first.
        max_gap: the largest distance of two frames.
        rng: makes the choices.
        reverse: see above.
        attempts: see above.
        least: see above.
    """
    count = len(areas)
    order = np.arange(count)[::-1] if rng.random() < reverse else np.arange(count)
    areas = areas[order]
    able = np.flatnonzero(areas.sum(1) > least)
    for _ in range(attempts):
        reference = able[rng.integers(len(able))] if len(able) else 0
        steps = rng.integers(1, max_gap + 1, frames - 1)
        indices = reflected(np.concatenate([[reference], reference + np.cumsum(steps)]), count)
        later = (areas[indices[1:]] > 0).any(0) if frames > 1 else np.zeros(areas.shape[1], bool)
        if not (later & (areas[indices[0]] == 0)).any():
            break
    return order[indices]


def by_skip(
    count: int, frames: int, *, skip: int, rng: np.random.Generator, reverse: float = 0.5
) -> Indices:
    """Indices int [frames] of a clip in a video of `count` frames, by STCN's rule.

        indices = by_skip(27, 3, skip=5, rng=np.random.default_rng(0))

    The first frame lies at most at count - skip; each next one is 1..skip + 1 later, but the k-th
    at most at count - skip // k (caps may repeat a frame). Turned round with probability `reverse`.
    """
    skip = min(count, skip)
    indices = [int(rng.integers(count - skip + 1))]
    indices[0] = min(indices[0], count - 1)
    for k in range(1, frames):
        step = 1 + int(rng.integers(skip + 1))
        indices.append(min(indices[-1] + step, count - skip // k, count - 1))
    return np.array(indices[::-1] if rng.random() < reverse else indices)


def skip_curriculum(steps: int, *, last: float = 0.9) -> tuple[tuple[int, int], ...]:
    """STCN's ((first step, skip), ...): 5, 10, 15, 20, 25 and at the end 5 again.

        skip_curriculum(1000)  # ((0, 5), (100, 10), (200, 15), (300, 20), (400, 25), (900, 5))

    Args:
        steps: of the whole stage.
        last: the share of them after which the skip falls back (0.9; 0.8 on BL30K).
    """
    shares = (0.0, 0.1, 0.2, 0.3, 0.4, last)
    return tuple(
        (round(steps * share), skip) for share, skip in zip(shares, (5, 10, 15, 20, 25, 5))
    )
