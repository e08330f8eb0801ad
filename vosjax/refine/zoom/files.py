"""Frames and the label maps of a finished run, or of any other program, as a `SegmentedVideo`."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from vosjax.refine.zoom.source import SegmentedVideo

Labels = npt.NDArray[np.uint8]
Frames = Callable[[int, int], Iterator[npt.NDArray[np.uint8]]]


def of_labels(
    frames: Frames,
    labels: Callable[[int], Labels],
    *,
    length: int,
    size: tuple[int, int],
    marked: Iterable[int] = (),
) -> SegmentedVideo:
    """Describes a video whose masks are label maps: probabilities of 0 and 1.

        video = of_labels(frames, lambda index: read_label_png(paths[index]), length=60, size=size)

    The masks are read once to find the objects. An object's mask counts as given in the frames that
    were marked, and in the first frame that shows it.

    Args:
        frames: as in `SegmentedVideo`.
        labels: labels(index) -> uint8 [H, W] of ids.
        length: number of frames.
        size: (H, W) of the frames.
        marked: indices of frames in which a user gave masks.
    """
    given = given_frames(labels, length, marked)
    channels = np.array([0, *given], np.uint8)

    def probs(index: int) -> npt.NDArray[np.float32]:
        return one_hot(labels(index), channels)

    return SegmentedVideo(length, size, tuple(given), given, False, frames, probs)


def given_frames(
    labels: Callable[[int], Labels], length: int, marked: Iterable[int] = ()
) -> dict[int, tuple[int, ...]]:
    """Returns the frames in which the mask of each object counts as given, by ascending ids.

        given_frames(lambda index: read_label_png(paths[index]), len(paths))      # {1: (0,)}

    Args:
        labels: labels(index) -> uint8 [H, W] of ids.
        length: number of frames.
        marked: indices of frames in which a user gave masks.
    """
    given: dict[int, tuple[int, ...]] = {}
    marked = set(marked)
    for index in range(length):
        for id in np.unique(labels(index)).tolist():
            if id and (id not in given or index in marked):
                given[id] = (*given.get(id, ()), index)
    return dict(sorted(given.items()))


def one_hot(labels: Labels, ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Converts labels to probabilities of 0 and 1, float32 [N+1, H, W].

        probs = one_hot(labels, np.array([0, 3, 7], np.uint8))

    Args:
        labels: uint8 [H, W] of ids; others than those given count as background.
        ids: uint8 [N+1], the id of each channel; the first is 0.
    """
    known = np.where(np.isin(labels, ids), labels, 0)
    return (known == ids[:, None, None]).astype(np.float32)
