"""Carries out passes with a tracker: memory, the way from frame to frame, masks that stay.

Nothing here knows of a server or of files: `Annotations` is what is known of a video, and the masks
that are made are yielded one by one. The studio and `bench.studio` run the same code.
"""

import contextlib
import dataclasses
from collections.abc import Generator, Iterable, Sequence

import jax
import numpy as np

from vosjax.errors import InputError
from vosjax.io.video import Frame
from vosjax.io.video.random_access import RandomAccess
from vosjax.loading.pretrained import Loaded
from vosjax.studio.annotations import Annotations, Labels, MadeFrame, MaskScore
from vosjax.studio.passes import Pass, plan
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.run import run_tracker
from vosjax.tracking.step import remembered_frames
from vosjax.tracking.tracker import Tracker

MEMORY = 4  # other pinned frames that a tracker is shown before it sets out


@dataclasses.dataclass
class FrameStep:
    """What a tracker says of one frame, not yet laid into what is known of it.

        made = step.combined(known)

    frame    index of the frame
    output   of the tracker
    step     1 forward, -1 backward
    limits   {id: last frame of its way} of the objects that are followed; shared by a pass's steps
    present  objects that stand in the frame where the pass begins
    pinned   ids of the objects that were pinned in this frame when the pass began
    """

    frame: int
    output: FrameOutput
    step: int
    limits: dict[int, int]
    present: frozenset[int]
    pinned: frozenset[int]

    def combined(self, known: "Annotations") -> MadeFrame | None:
        """Returns the masks of the frame; None if no object's way leads here any more.

        The way of an object ends where it was removed, or pinned since the pass began.

        Args:
            known: what is known of the video at this moment.
        """
        alive, pinned = known.ids(), known.pins().get(self.frame, frozenset())
        for id, end in list(self.limits.items()):
            over = (end - self.frame) * self.step < 0
            if over or id not in alive or id in pinned - self.pinned:
                del self.limits[id]
        if not self.limits:
            return None
        followed = frozenset(self.limits)
        return _combined(self.frame, self.output, known, followed, self.present & alive, pinned)


class Trackers:
    """Makes trackers for a video that share one compiled program.

        trackers = Trackers(load(), count=100)
        tracker = trackers.new(objects=2)

    All have room for the same number of memory frames and, if the network has a limit of slots, for
    as many objects; so nothing has to be compiled a second time.
    """

    def __init__(self, model: Loaded, *, count: int, max_short_side: int | None = None) -> None:
        """Takes the model and the number of frames of the video."""
        self.model, self.max_short_side = model, max_short_side
        mem_every, most = model.config["mem_every"], model.config["max_mem_frames"]
        self.memory = min(MEMORY, most // 2)  # pinned frames that a tracker is shown first
        self.capacity = min(remembered_frames(count, [0], mem_every) + self.memory, most)

    def new(self, objects: int) -> Tracker:
        """Makes a tracker.

        Args:
            objects: number of objects of the video.
        """
        slots = self.model.model.vos.slots or 1
        return Tracker(
            self.model,
            objects=max(objects, slots),
            capacity=self.capacity,
            max_short_side=self.max_short_side,
        )

    def prepare(self, size: tuple[int, int]) -> None:
        """Compiles for frames of a size (H, W), by tracking through two black ones."""
        labels = np.zeros(size, np.uint8)
        labels[: size[0] // 2] = 1
        tracker, black = self.new(1), np.zeros((*size, 3), np.uint8)
        tracker.step(black, labels)
        tracker.step(black)


def plan_from(
    known: Annotations, frame: int, direction: str, *, count: int, to: int | None = None
) -> list[Pass]:
    """Plans a propagation from a frame, of the objects that were given there.

        passes = plan_from(known, 12, "forward", count=100)

    In a frame without a pin, all objects that are seen there are followed.

    Args:
        known: what is known of the video.
        frame: index of the frame.
        direction: 'forward', 'backward' or 'both'.
        count: number of frames of the video.
        to: as for `passes.plan`.

    Raises:
        InputError: nothing is marked in the frame, or as for `passes.plan`.
    """
    labels, pins = known.labels(frame), known.pins()
    ids = pins.get(frame, frozenset()) & known.ids()
    if not ids and labels is not None:
        ids = frozenset(_seen(labels))
    if not ids:
        raise InputError(f"nothing is marked in frame {frame}: mark an object there first")

    def made(id: int, index: int) -> bool:
        return id in known.scores(index)

    return plan(frame, direction, count=count, ids=sorted(ids), pins=pins, made=made, to=to)


def follow(
    known: Annotations, frames: RandomAccess, passes: Iterable[Pass], trackers: Trackers
) -> Generator[FrameStep]:
    """Carries out passes, frame by frame.

        passes = plan_from(known, 0, "forward", count=100)
        for step in follow(known, frames, passes, trackers):
            made = step.combined(known)

    Before a tracker sets out it is shown other pinned frames, the farthest first, and then the
    frame where the pass begins. Objects that are not followed keep their pixels; where nothing was
    known of a frame yet, objects that stood beside the followed ones get the masks that the tracker
    makes of them. An object that is pinned while it is nowhere to be seen is nowhere on the way
    either.

    Args:
        known: what is known of the video; the caller writes what `FrameStep.combined` returns.
        frames: the frames of the video.
        passes: from `plan_from`.
        trackers: makes the trackers.

    Yields:
        A `FrameStep` for each frame, as soon as the tracker is through with it.

    Raises:
        InputError: a frame cannot be read.
    """
    for way in passes:
        labels = known.labels(way.start)
        present = frozenset() if labels is None else frozenset(_seen(labels)) & known.ids()
        limits, pins = dict(way.limits), known.pins()
        outputs = _outputs(known, frames, way, trackers, labels, present)
        with contextlib.closing(outputs):
            for index, output in zip(way.frames, outputs):
                pinned = pins.get(index, frozenset())
                yield FrameStep(index, output, way.step, limits, present, pinned)
                if not limits:
                    break


def _outputs(
    known: Annotations,
    frames: RandomAccess,
    way: Pass,
    trackers: Trackers,
    begin: Labels | None,
    present: frozenset[int],
) -> Generator[FrameOutput]:
    """Yields what the tracker says of the frames of a pass."""
    if not present:
        empty = np.zeros(frames.video.size, np.uint8)
        for _ in way.frames:
            yield FrameOutput(empty, {})
        return
    assert begin is not None
    tracker = trackers.new(len(frozenset().union(*known.pins().values()) | present))
    shown = _memory(known, way, present, trackers.memory)
    order = [*shown, way.start, *way.frames]
    masks: dict[int, Labels] = {time: labels for time, labels in enumerate(shown.values())}
    masks[len(shown)] = _only(begin, present)
    for time, index in enumerate(way.frames, len(shown) + 1):
        there = known.pins().get(index, frozenset()) & present
        labels = known.labels(index) if there else None
        if labels is not None and _only(labels, there).any():
            masks[time] = _only(labels, there)
    pictures = _marked_pictures(frames, order, masks)
    # On a CPU a frame that is computed ahead would only keep a click waiting for longer.
    on_cpu = jax.default_backend() == "cpu"
    with contextlib.closing(
        run_tracker(tracker, pictures, masks, pause=lambda time: on_cpu)
    ) as results:
        for time, _, output in results:
            if time > len(shown):
                yield output


def _memory(known: Annotations, way: Pass, present: frozenset[int], most: int) -> dict[int, Labels]:
    """Returns up to `most` pinned frames that a tracker is shown first, the farthest first."""
    shown: dict[int, Labels] = {}
    for index, ids in sorted(known.pins().items(), key=lambda pin: abs(pin[0] - way.start)):
        labels = known.labels(index) if index != way.start and ids & present else None
        if labels is not None and _only(labels, ids & present).any():
            shown[index] = _only(labels, ids & present)
        if len(shown) == most:
            break
    return dict(reversed(shown.items()))


def _marked_pictures(
    frames: RandomAccess, order: Sequence[int], masks: dict[int, Labels]
) -> Generator[Frame]:
    """Yields the frames of a pass; one with masks counts as there even if it was lost."""
    with contextlib.closing(frames.in_order(order)) as pictures:
        for time, frame in enumerate(pictures):
            yield frame._replace(missing=False) if time in masks else frame


def _combined(
    index: int,
    output: FrameOutput,
    known: Annotations,
    followed: frozenset[int],
    present: frozenset[int],
    pinned: frozenset[int],
) -> MadeFrame:
    """Lays what was made of the followed objects into what is known of a frame."""
    before, old_scores = known.labels(index), known.scores(index)
    fresh = followed | {id for id in present if id not in old_scores} - pinned
    made = _only(output.labels, fresh)
    if before is None:
        labels = made
    else:
        labels = np.where(made > 0, made, _only(before, known.ids() - fresh))
        kept = _only(before, pinned)
        labels = np.where(kept > 0, kept, labels)
    areas = np.bincount(labels.ravel(), minlength=256)
    scores: dict[int, MaskScore] = {}
    for id in sorted(fresh):
        area = int(areas[id])
        score = output.scores.get(id)
        probability = score.mean_probability if score is not None and area else 0.0
        scores[id] = probability, area, area == 0
    for id, (probability, area, _) in old_scores.items():
        if id not in scores and int(areas[id]) != area:
            scores[id] = probability, int(areas[id]), not areas[id]
    return MadeFrame(index, labels, scores)


def _seen(labels: Labels) -> list[int]:
    counts = np.bincount(labels.ravel(), minlength=256)
    return [id for id in np.flatnonzero(counts).tolist() if id]


def _only(labels: Labels, ids: Iterable[int]) -> Labels:
    """Returns the labels of some objects; all others become background."""
    table = np.zeros(256, np.uint8)
    chosen = sorted(ids)
    table[chosen] = chosen
    return table[labels]
