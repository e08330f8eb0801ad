"""Frames and the label maps of a finished run, or of any other program, as a `SegmentedVideo`."""

from collections.abc import Callable, Iterable, Iterator, Mapping

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
    given: Mapping[int, Iterable[int]] | None = None,
) -> SegmentedVideo:
    """Describes a video whose masks are label maps: probabilities of 0 and 1.

        video = of_labels(frames, lambda index: read_label_png(paths[index]), length=60, size=size)

    The masks are read once to find the objects. Where it is not told when the mask of an object was
    given, it counts as given in the first frame that shows the object.

    Args:
        frames: as in `SegmentedVideo`.
        labels: labels(index) -> uint8 [H, W] of ids.
        length: number of frames.
        size: (H, W) of the frames.
        given: {id: indices of the frames in which its mask was given}, where that is known.
    """
    known = given_frames(labels, length, given or {})
    channels = np.array([0, *known], np.uint8)

    def probs(index: int) -> npt.NDArray[np.float32]:
        return one_hot(labels(index), channels)

    return SegmentedVideo(length, size, tuple(known), known, False, frames, probs)


def given_frames(
    labels: Callable[[int], Labels], length: int, given: Mapping[int, Iterable[int]]
) -> dict[int, tuple[int, ...]]:
    """Returns the frames in which the mask of each object counts as given, by ascending ids.

        given_frames(lambda index: read_label_png(paths[index]), len(paths), {})      # {1: (0,)}

    Args:
        labels: labels(index) -> uint8 [H, W] of ids.
        length: number of frames.
        given: {id: indices of frames}, where that is known.
    """
    first: dict[int, int] = {}
    for index in range(length):
        for id in np.unique(labels(index)).tolist():
            if id:
                first.setdefault(id, index)
    return {
        id: tuple(sorted(int(frame) for frame in given.get(id, ()))) or (first[id],)
        for id in sorted(first)
    }


def one_hot(labels: Labels, ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Converts labels to probabilities of 0 and 1, float32 [N+1, H, W].

        probs = one_hot(labels, np.array([0, 3, 7], np.uint8))

    Args:
        labels: uint8 [H, W] of ids; others than those given count as background.
        ids: uint8 [N+1], the id of each channel; the first is 0.
    """
    known = np.where(np.isin(labels, ids), labels, 0)
    return (known == ids[:, None, None]).astype(np.float32)
