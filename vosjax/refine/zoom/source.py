"""What the zoom needs of a video that was segmented, and its survey: how large objects are."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from vosjax.boxes.protocol import BoxTracker
from vosjax.refine.zoom.agreement import Seen, same_place
from vosjax.refine.zoom.choose import LEAVE, scale
from vosjax.refine.zoom.moments import LEAST, MaskBox, centre_of, from_centre, mask_box

Floats = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]


class SegmentedVideo(NamedTuple):
    """A video with the masks of its first segmentation.

    length  number of frames T
    size    (H, W) of the frames
    ids     ids of the objects; object n is channel n + 1 of the probabilities
    given   {id: indices of the frames in which its mask was given, ascending}; masks there are
            the given ones
    soft    whether `probs` are probabilities, or labels that were made 0 and 1
    frames  frames(start, stop) -> iterator of frames `start` to `stop - 1`, uint8 [H, W, 3] RGB
    probs   probs(index) -> float32 [N+1, H, W], channel 0 the background, sum 1
    """

    length: int
    size: tuple[int, int]
    ids: tuple[int, ...]
    given: Mapping[int, tuple[int, ...]]
    soft: bool
    frames: Callable[[int, int], Iterator[npt.NDArray[np.uint8]]]
    probs: Callable[[int], npt.NDArray[np.float32]]


class Tracking(NamedTuple):
    """A box tracker with its weights."""

    tracker: BoxTracker
    params: Any


class Survey(NamedTuple):
    """What one reading of a video's masks tells.

    areas    {id: float [T]}, areas of the masks at a short side of 480 pixels, soft inside
    tracked  {id: what the box tracker says of every frame, None before the object is given}; of
             objects whose given mask is small, if there is a tracker
    """

    areas: dict[int, Floats]
    tracked: dict[int, list[Seen | None]]


def survey(video: SegmentedVideo, tracking: Tracking | None = None) -> Survey:
    """Reads all masks of a video once, and follows its small objects by the box tracker.

        areas, tracked = survey(video)

    The tracker begins with the box of an object's first given mask, and takes over the size of its
    masks wherever they lie where it sees the object. What is kept are a few numbers for each object
    and frame.

    Args:
        video: that was segmented.
        tracking: a box tracker, or None.
    """
    per_pixel = scale(video.size) ** -2
    areas = {id: np.zeros(video.length) for id in video.ids}
    tracked: dict[int, list[Seen | None]] = {}
    states: dict[int, Any] = {}
    frames = iter(()) if tracking is None else video.frames(0, video.length)
    for index in range(video.length):
        probs = video.probs(index)
        frame = next(frames, None)
        for channel, id in enumerate(video.ids, 1):
            own = probs[channel]
            areas[id][index] = own[own > LEAST].sum() * per_pixel
            if tracking is None or frame is None:
                continue
            if id in states:
                states[id], tracked[id][index] = follow(tracking, states[id], frame, own)
            elif video.given[id][:1] == (index,) and areas[id][index] < LEAVE:
                found = mask_box(own)
                if found is not None:
                    states[id] = begin_tracker(tracking, frame, found)
                    tracked[id] = [None] * video.length
    return Survey(areas, tracked)


def begin_tracker(tracking: Tracking, image: Image, mask: MaskBox) -> Any:
    """Returns the state of the box tracker after a frame in which a mask tells where the object is.

        state = begin_tracker(tracking, frame, mask_box(probs))

    Args:
        tracking: the box tracker.
        image: uint8 [H, W, 3] RGB.
        mask: of the object in it.
    """
    box = jnp.asarray(mask.box, jnp.float32)
    return tracking.tracker.init(tracking.params, jnp.asarray(image), box)


def follow(tracking: Tracking, state: Any, image: Image, probs: Any) -> tuple[Any, Seen]:
    """Finds the object in a frame by the box tracker, which takes over the size of its mask.

        state, seen = follow(tracking, state, frame, probs)

    The mask's size counts where the mask lies at the place at which the tracker sees the object.

    Args:
        tracking: the box tracker.
        state: of `begin_tracker`, or of the frame before.
        image: uint8 [H, W, 3] RGB.
        probs: float [H, W], probabilities of the object in the first segmentation.

    Returns:
        The state after the frame, and what the tracker says of it.
    """
    state, output = tracking.tracker.step(tracking.params, state, jnp.asarray(image))
    seen = Seen(np.asarray(output.box, np.float64), float(output.score), int(output.flag))
    found = mask_box(probs)
    if found is not None and same_place(found.box, seen.box):
        box = from_centre(centre_of(seen.box), found.box[2:])
        state = tracking.tracker.correct(state, jnp.asarray(box, jnp.float32))
    return state, seen
