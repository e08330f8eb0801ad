"""The box tracker runs through a clip a second time, backward, and both runs are averaged."""

from collections.abc import Sequence

import numpy as np

from vosjax.boxes.protocol import UNCERTAIN
from vosjax.refine.zoom.agreement import Seen, is_found, same_place
from vosjax.refine.zoom.choose import Clip
from vosjax.refine.zoom.places import Places, reliable_frames
from vosjax.refine.zoom.source import SegmentedVideo, Tracking, begin_tracker, follow


def track_both_ways(
    video: SegmentedVideo,
    clip: Clip,
    found: Places,
    tracked: Sequence[Seen | None],
    tracking: Tracking,
) -> list[Seen | None]:
    """Follows an object backward through a clip, and averages that with the run forward.

        tracked = track_both_ways(video, clip, find_places(video, clip, tracked), tracked, tracking)

    The tracker begins with the last frame whose mask is reliable, and that mask's box. It learns
    the object as it looks there, so it may see it where the run forward has lost it, or before the
    object's mask was given. Frames from that one on keep what the run forward says.

    Args:
        video: that was segmented.
        clip: the frames, and the object. They are all held in memory.
        found: where the object is in them by its masks and the run forward.
        tracked: what the run forward says of every frame of the clip.
        tracking: the box tracker.

    Returns:
        One `Seen` for each frame of the clip, None where neither run says anything.
    """
    reliable = np.flatnonzero(reliable_frames(*found))
    if not reliable.size or reliable[-1] == 0:
        return list(tracked)
    last, channel = int(reliable[-1]), video.ids.index(clip.id) + 1
    images = list(video.frames(clip.start, clip.start + last + 1))
    start = found.masks[last]
    if len(images) <= last or start is None:
        return list(tracked)
    both = list(tracked)
    state = begin_tracker(tracking, images[last], start)
    for number in reversed(range(last)):
        probs = video.probs(clip.start + number)[channel]
        state, seen = follow(tracking, state, images[number], probs)
        both[number] = averaged(tracked[number], seen)
    return both


def averaged(forward: Seen | None, backward: Seen) -> Seen:
    """Makes one of what two runs of a box tracker say of a frame.

        averaged(Seen(box, 0.9, NORMAL), Seen(box + 1, 0.3, NORMAL))

    Where both see the object at the same place, the boxes are averaged by their scores. Where one
    of them sees it, that one counts. Where they see it at different places, it cannot be told which
    is the object: the box of the higher score is marked uncertain.

    Args:
        forward: None before the frame in which the object was given.
        backward: likewise, of the run backward.
    """
    if forward is None:
        return backward
    if not (is_found(forward) and is_found(backward)):
        return backward if is_found(backward) else forward
    if not same_place(forward.box, backward.box):
        return max(forward, backward, key=lambda seen: seen.score)._replace(flag=UNCERTAIN)
    weights = np.maximum([forward.score, backward.score], 1e-3)
    box = np.average([forward.box, backward.box], 0, weights)
    score = (forward.score + backward.score) / 2
    return Seen(box, score, max(forward.flag, backward.flag))
