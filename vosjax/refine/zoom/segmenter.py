"""What the zoom needs of a network: a function that segments crops one after the other."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class CropFrame(NamedTuple):
    """An enlarged crop, and what the network is told about it.

    image     uint8 [h, w, 3] RGB of the network's size
    labels    uint8 [h, w] of slots 1..N that mark the `given` objects; None without any
    given     the slots that are marked
    remember  whether the memory may hold the frame; annotated ones are remembered in any case
    """

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8] | None = None
    given: tuple[int, ...] = ()
    remember: bool = True


class CropSegmenter(NamedTuple):
    """A network, or an ensemble, that is ready for crops (`tracking.crops.crop_segmenter`).

    segment(frames) -> iterator of float32 [N+1, h, w]
        Segments crops in the order in which they are given: probabilities of the background and of
        all slots, in which marked objects are exactly as marked. The frames may come from anywhere
        in a video, in either direction. Every call begins with an empty memory.

    size         (h, w) of the crops
    max_prompts  frames of one call that may mark objects, at most; they are remembered throughout
    """

    segment: Callable[[Iterable[CropFrame]], Iterator[npt.NDArray[np.float32]]]
    size: tuple[int, int]
    max_prompts: int
