"""Where an object is in every frame of a clip, by its masks, its motion and the box tracker."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vosjax.refine.zoom import kalman
from vosjax.refine.zoom.agreement import RELIABLE, Place, Seen, agree
from vosjax.refine.zoom.choose import VISIBLE, Clip, scale
from vosjax.refine.zoom.moments import MaskBox, mask_box
from vosjax.refine.zoom.path import crop_side
from vosjax.refine.zoom.source import SegmentedVideo


class Places(NamedTuple):
    """Where an object is in the frames of a clip.

    places  one for each frame
    masks   what each frame's mask says; None where it is empty
    """

    places: list[Place]
    masks: list[MaskBox | None]


def find_places(
    video: SegmentedVideo, clip: Clip, tracked: Sequence[Seen | None] | None = None
) -> Places | None:
    """Follows an object's box through a clip.

        found = find_places(video, clip)

    A Kalman filter begins with the first frame in which the object is seen; the frames before that
    take the place found there, with a confidence of 0.

    Args:
        video: that was segmented.
        clip: the frames, and the object.
        tracked: what the box tracker says of every frame of the clip, if there is one.

    Returns:
        None if the object is not seen in any frame.
    """
    channel, least = video.ids.index(clip.id) + 1, VISIBLE * scale(video.size) ** 2
    places: list[Place] = []
    masks: list[MaskBox | None] = []
    motion, reliable, missed, hidden = None, None, 0, 0
    for index in range(clip.start, clip.stop):
        probs = video.probs(index)[channel]
        seen = None if tracked is None else tracked[index - clip.start]
        leapt = False
        if motion is None:
            mask = mask_box(probs)
            if mask is None or mask.area < least:
                hidden += 1
                continue
            motion, reliable = kalman.begin(mask.box), mask.box[2:]
        else:
            motion = kalman.predict(motion)
            # A mask that is all elsewhere is not dropped: it has leapt, and is trusted less.
            near = mask_box(probs, kalman.expected_box(motion))
            mask = near or mask_box(probs)
            leapt = near is None
            if mask is not None and mask.area < least:
                mask = None
        assert reliable is not None
        side = crop_side([[0, 0, *reliable]], video.size)
        place = agree(mask, seen, motion, reliable, missed, side)
        missed = 0 if place.seen else missed + 1
        if leapt and mask is not None and place.box is mask.box:
            motion = kalman.begin(mask.box)  # a velocity to there would overshoot
        elif place.seen:
            motion = kalman.update(motion, place.box, place.confidence)
        if place.confidence >= RELIABLE:
            reliable = place.box[2:]
        places.append(place)
        masks.append(mask)
    if not places:
        return None
    before = places[0]._replace(confidence=0.0, seen=False)
    unseen: list[MaskBox | None] = [None] * hidden
    return Places([before] * hidden + places, unseen + masks)


def reliable_frames(places: Sequence[Place], masks: Sequence[MaskBox | None]) -> np.ndarray:
    """Whether each frame's mask is confident enough to be remembered, bool [T].

    reliable_frames(found.places, found.masks)
    """
    return np.array(
        [place.confidence >= RELIABLE and mask is not None for place, mask in zip(places, masks)]
    )
