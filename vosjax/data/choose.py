"""Which frames of a video make a clip: AOT's gaps and STCN's skips."""

import numpy as np


def reflected(indices, count):
    """Indices int [...] folded back into 0..count-1 at both ends (2(n-1) - i, repeatedly)."""
    if count == 1:
        return np.zeros_like(indices)
    period = 2 * (count - 1)
    indices = np.mod(indices, period)
    return np.minimum(indices, period - indices)


def by_gaps(areas, frames, *, gap, rng, reverse=0.5, attempts=5, least=200):
    """Places int [frames] in time order of a clip, by AOT's rule (its public training code).

    The video is turned round with probability `reverse`. The reference is a random frame with more
    than `least` object pixels (the first one if there is none); the others follow at gaps of
    1..gap, reflected at the end. A choice in which a later frame shows an object that the reference
    lacks is made anew, up to `attempts` times; then the last one is taken.

    Args:
        areas: int [A, N], pixels of each object in each frame.
        frames: of the clip, the reference first.
        gap: the largest distance of two frames.
        rng: a generator.
    """
    count = len(areas)
    order = np.arange(count)[::-1] if rng.random() < reverse else np.arange(count)
    areas = areas[order]
    able = np.flatnonzero(areas.sum(1) > least)
    for _ in range(attempts):
        reference = able[rng.integers(len(able))] if len(able) else 0
        steps = rng.integers(1, gap + 1, frames - 1)
        places = reflected(np.concatenate([[reference], reference + np.cumsum(steps)]), count)
        later = (areas[places[1:]] > 0).any(0) if frames > 1 else np.zeros(areas.shape[1], bool)
        if not (later & (areas[places[0]] == 0)).any():
            break
    return order[places]


def by_skip(count, frames, *, skip, rng, reverse=0.5):
    """Places int [frames] of a clip in a video of `count` frames, by STCN's rule.

    The first frame lies at most at count - skip; each next one is 1..skip + 1 later, but the k-th
    at most at count - skip // k (caps may repeat a frame). Turned round with probability `reverse`.
    """
    skip = min(count, skip)
    places = [int(rng.integers(count - skip + 1))]
    places[0] = min(places[0], count - 1)
    for k in range(1, frames):
        step = 1 + int(rng.integers(skip + 1))
        places.append(min(places[-1] + step, count - skip // k, count - 1))
    return np.array(places[::-1] if rng.random() < reverse else places)


def skip_curriculum(steps, *, last=0.9):
    """STCN's ((first step, skip), ...): 5, 10, 15, 20, 25 and at the end 5 again.

    Args:
        steps: of the whole stage.
        last: the share of them after which the skip falls back (0.9; 0.8 on BL30K).
    """
    shares = (0.0, 0.1, 0.2, 0.3, 0.4, last)
    return tuple(
        (round(steps * share), skip) for share, skip in zip(shares, (5, 10, 15, 20, 25, 5))
    )
