"""`segment()`, a generator over a video, and what the command line shares with it."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError, Note
from vosjax.io.masks import Masks, read_masks
from vosjax.io.scores import ObjectScore
from vosjax.io.video import Video, open_video
from vosjax.loading.pretrained import Loaded, configure, load
from vosjax.refine.refiner import Refiner
from vosjax.schema.kinds import near
from vosjax.tracking.backward import Merger, Outputs, Unread, run_backward, up_to_damage
from vosjax.tracking.config import DIRECTIONS
from vosjax.tracking.directions import Passes, plan_passes
from vosjax.tracking.run import lost_mask, run_tracker
from vosjax.tracking.slots import HostArray
from vosjax.tracking.step import remembered_frames
from vosjax.tracking.tracker import Tracker, check_count

START = 4  # memory frames to begin with where a video's length is unknown


class FrameResult(NamedTuple):
    """The result of `segment` for one frame.

    index    index of the frame, from 0
    name     file stem of the image if the video is a folder, else the index in five digits
    labels   uint8 [H, W] of object ids, 0 for the background
    scores   {id: `ObjectScore`} of every object given so far
    missing  whether the recording lost this frame; labels and scores are then those of the frame
             before
    """

    index: int  # type: ignore[assignment]  # a tuple's own method, which nobody needs here
    name: str
    labels: HostArray
    scores: dict[int, ObjectScore]
    missing: bool = False


def segment(
    video: Any,
    masks: Any,
    *,
    model: Loaded | str | os.PathLike[str] | None = None,
    mem_every: int | None = None,
    max_mem_frames: int | None = None,
    top_k: int | None = None,
    max_short_side: int | None = None,
    direction: str = "both",
    refine: Refiner | None = None,
) -> Iterator[FrameResult]:
    """Segments a video, given the masks of some of its frames.

        for result in vosjax.segment("dog.mp4", "dog.png"):
            print(result.index, result.labels.shape)

    The call opens the video and the masks. Frames are then read lazily, and results are yielded in
    order as they are computed. If the first mask is not that of frame 0, or several masks are
    given, objects are first tracked backward, before the first result; the outputs of that pass
    wait in a temporary folder. Memory use does not grow with the length of the video. Warnings
    (`Note`) tell what is worth knowing about the video, such as lost frames, or files of a folder
    that are left out.

    Args:
        video: whatever `io.video.open_video` takes: a video file, a folder of images, a camera's
            index, an address, or any iterable of uint8 [H, W, 3] RGB frames. Frames are copied as
            they are taken, and masks at once, so their memory may be reused.
        masks: a mask file of frame 0, a folder of masks, 'FRAME=FILE' strings, an array [H, W] or
            [T, H, W], or {frame index: array or file}; see `io.masks.read_masks`. Masks that could
            have been read in another way are warned about.
        model: a model from `load`, or what `load` takes; None loads the embedded default.
        mem_every: number of frames from one remembered frame to the next; None takes the model's
            default.
        max_mem_frames: largest number of remembered frames; None takes the model's default.
        top_k: each query reads only its k best positions of the memory; None takes the model's
            default.
        max_short_side: largest short side in pixels that the network sees; None leaves it to the
            network's own rule.
        direction: 'both', 'forward' or 'backward' from the given frames; see `tracking.directions`.
            In a source that can be read only once (a camera, a stream, a generator), objects are
            always tracked forward.
        refine: refines the labels of every frame; see `refine.refiner.load_refiner`.

    Yields:
        A `FrameResult` for every frame of the video.

    Raises:
        InputError: the video or a mask cannot be used, a mask was given for a frame after the
            video's end, or the direction is unknown. Results of frames that were read before are
            yielded first.
    """
    check_direction(direction, "direction")
    if not isinstance(model, Loaded):
        model = load(model)
    if top_k is not None:
        model = configure(model, top_k=top_k)
    source, video = video, open_video(video)
    user_masks = read_masks(masks, video.names, size=video.size, count=exact_length(source, video))
    for doubt in user_masks.doubts:
        warnings.warn(doubt, Note, stacklevel=2)
    plan = plan_passes(direction, user_masks.labels, name=video.name, once=video.once)
    if plan.note:
        warnings.warn(plan.note, Note, stacklevel=2)
    settings = dict(
        mem_every=mem_every, max_mem_frames=max_mem_frames, max_short_side=max_short_side
    )

    def tracker(length: int | None = None) -> Tracker:
        return make_tracker(
            model, video, user_masks.labels, length=length, refine=refine, **settings
        )

    forward = tracker()
    for note in video.notes:
        warnings.warn(note, Note, stacklevel=2)
    return _results(forward, tracker, video, user_masks, plan)


def _results(
    forward: Tracker,
    tracker: Callable[[int], Tracker],
    video: Video,
    masks: Masks,
    plan: Passes,
) -> Iterator[FrameResult]:
    """Yields the results of all frames; `tracker(length)` makes a tracker for the backward pass."""
    with contextlib.ExitStack() as stack:
        merged = None
        if plan.start is not None:
            kept = Outputs(stack.enter_context(tempfile.TemporaryDirectory(prefix="vosjax-")))
            backward = run_backward(tracker(plan.start + 1), video, masks.labels, plan.start)
            stack.enter_context(contextlib.closing(backward))
            unread: list[Unread] = []
            for index, output in up_to_damage(backward, plan.start, unread):
                kept.write(index, output)
            if unread and plan.direction == "backward":
                raise unread[0].error
            merged = Merger(kept, masks.labels, plan.start, *unread)
        followed = masks.labels if plan.direction != "backward" else {}
        frames = stack.enter_context(
            contextlib.closing(run_tracker(forward, video.stream(0), followed))
        )
        for index, frame, output in frames:
            labels, scores = output if merged is None else merged(index, frame, output)
            yield FrameResult(index, name_of(video, index), labels, scores, frame.missing)
    check_reached(masks, forward.time, video.missing)
    for note in video.findings.reading(video.name):
        warnings.warn(note, Note, stacklevel=2)


def check_direction(direction: str, name: str) -> None:
    """Raises InputError unless a direction is one of `tracking.config.DIRECTIONS`.

        check_direction("sideways", "--direction")

    Args:
        direction: the direction that was asked for.
        name: what the user calls this setting, for the message.
    """
    if direction not in DIRECTIONS:
        raise InputError(
            f"{name} is {direction!r}; there are {', '.join(DIRECTIONS)}"
            f"{near(str(direction), DIRECTIONS)}"
        )


def check_reached(masks: Masks, count: int, missing: Sequence[int] = ()) -> None:
    """Raises InputError if a mask was given for a frame that the video turned out not to have.

        check_reached(masks, count=24, missing=[7])

    Args:
        masks: the given masks.
        count: number of frames of the video.
        missing: indices of the frames that cannot be decoded.
    """
    lost = sorted(masks.labels.keys() & set(missing))
    if lost:
        raise lost_mask(lost[0])
    late = [frame for frame in masks.labels if frame >= count]
    if late:
        raise InputError(
            f"{masks.names[late[0]]} was given for frame {late[0]}, the video ended after "
            f"frame {count - 1} (it has {count}): check the number, frames count from 0"
        )


def exact_length(source: Any, video: Video) -> int | None:
    """Returns the number of frames if it is certain, else None; a video file may misstate its own.

        count = exact_length("frames/", open_video("frames/"))

    Args:
        source: what the user named as the video.
        video: the same, opened.
    """
    is_file = isinstance(source, (str, os.PathLike)) and video.names is None
    return None if is_file else video.count


def name_of(video: Video, index: int) -> str:
    """Returns the name of a frame in tables: the image's file stem, or the index in five digits.

        name_of(video, 12)      # '00012'

    Args:
        video: the video.
        index: index of the frame.
    """
    return video.names[index] if video.names else f"{index:05d}"


def make_tracker(
    model: Loaded,
    video: Video,
    masks: Mapping[int, HostArray],
    *,
    mem_every: int | None = None,
    max_mem_frames: int | None = None,
    max_short_side: int | None = None,
    length: int | None = None,
    refine: Refiner | None = None,
) -> Tracker:
    """Makes a tracker with room for a video's objects and, if its length is known, for its memory.

        tracker = make_tracker(load(), video, masks)

    Args:
        model: a model from `load`.
        video: the video to be tracked.
        masks: {frame index: labels [H, W] of object ids}.
        mem_every: as for `segment`.
        max_mem_frames: as for `segment`.
        max_short_side: as for `segment`.
        length: number of frames of a backward pass; None for a forward pass.
        refine: as for `Tracker`.
    """
    mem_every = model.config["mem_every"] if mem_every is None else mem_every
    check_count("mem_every", mem_every)
    objects = len(set().union(*(np.unique(labels).tolist() for labels in masks.values())) - {0})
    capacity = START
    if length is not None:
        annotated = [length - 1 - frame for frame in masks if frame < length]
        capacity = remembered_frames(length, annotated, mem_every)
    elif video.length is not None:
        capacity = max(remembered_frames(video.length, masks, mem_every), 1)
        capacity = max(capacity, START) if video.count is None else capacity
    return Tracker(
        model,
        objects=objects,
        mem_every=mem_every,
        capacity=capacity,
        max_mem_frames=max_mem_frames,
        max_short_side=max_short_side,
        refine=refine,
    )
