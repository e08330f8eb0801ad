"""A video and the label maps of a finished run, or of any other program, as a `SegmentedVideo`."""

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from vosjax.io.video import Video
from vosjax.refine.zoom.source import SegmentedVideo

Labels = npt.NDArray[np.uint8]


def first_frames(labels: Callable[[int], Labels], length: int) -> dict[int, tuple[int, ...]]:
    """Returns the frame in which each object appears first, where its mask counts as given.

        given = first_frames(lambda index: read_label_png(paths[index]), len(paths))

    Args:
        labels: labels(index) -> uint8 [H, W] of ids.
        length: number of frames.

    Returns:
        {id: (index,)}, in the order of ids.
    """
    first: dict[int, tuple[int, ...]] = {}
    for index in range(length):
        for id in np.unique(labels(index)).tolist():
            if id:
                first.setdefault(id, (index,))
    return dict(sorted(first.items()))


def of_labels(
    video: Video,
    labels: Callable[[int], Labels],
    length: int,
    given: Mapping[int, tuple[int, ...]] | None = None,
) -> SegmentedVideo:
    """Describes a video whose masks are label maps: probabilities of 0 and 1.

        segmented = of_labels(video, lambda index: read_label_png(paths[index]), len(paths))

    Args:
        video: that can be read more than once.
        labels: labels(index) -> uint8 [H, W] of ids.
        length: number of frames.
        given: {id: frames in which its mask was given}; None takes those of `first_frames`.
    """
    known = first_frames(labels, length) if given is None else dict(sorted(given.items()))
    channels = np.array([0, *known], np.uint8)[:, None, None]

    def frames(start: int, stop: int) -> Iterator[npt.NDArray[np.uint8]]:
        for frame in itertools.islice(video.stream(start), stop - start):
            yield frame.image

    def probs(index: int) -> npt.NDArray[np.float32]:
        own = labels(index)
        own = np.where(np.isin(own, channels), own, 0)
        return (own == channels).astype(np.float32)

    return SegmentedVideo(length, video.size, tuple(known), known, False, frames, probs)
