"""Videos with a small object and first masks of it, and the toy network for their crops."""

import numpy as np

from support import toy
from support.clips import COLOURS
from vosjax.refine.zoom.source import SegmentedVideo

HEIGHT, WIDTH, SIDE = 240, 320, 10


def small_toy(size):
    """The toy, which sees every frame at the same small size."""
    model = toy.model()
    vos = model.model.vos._replace(size=lambda height, width, scale=1.0: (size, size))
    return model._replace(model=model.model._replace(vos=vos))


def truth_of(frames=14, side=SIDE, start=(60, 60), step=(3, 2)):
    """Labels of a small square, object 1, that moves; and a large one, object 2, that stands."""
    labels = np.zeros((frames, HEIGHT, WIDTH), np.uint8)
    labels[:, 180:230, 240:310] = 2
    for time in range(frames):
        x, y = np.array(start) + time * np.array(step)
        labels[time, max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)] = 1
    return labels


def cut_short(truth, frames):
    """First masks that lack the right part of the small square in some frames."""
    first = truth.copy()
    for time in frames:
        columns = np.flatnonzero((truth[time] == 1).any(0))
        first[time][:, columns[len(columns) * 6 // 10 :]] = 0
    return first


def video_of(truth, first, annotated=None, reads=None):
    """A video of these objects; `reads` is told how many frames are read at a time."""

    def frames(start, stop):
        if reads is not None:
            reads.append(stop - start)
        return iter(COLOURS[truth[start:stop]])

    def probs(index):
        return (first[index] == np.arange(3, dtype=np.uint8)[:, None, None]).astype(np.float32)

    annotated = annotated or {1: (0,), 2: (0,)}
    return SegmentedVideo(len(truth), truth.shape[1:], (1, 2), annotated, False, frames, probs)


def jaccard(labels, truth):
    """The mean J of object 1 over frames."""
    pairs = [(own == 1, true == 1) for own, true in zip(labels, truth)]
    return np.mean([(own & true).sum() / max((own | true).sum(), 1) for own, true in pairs])
