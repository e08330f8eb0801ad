"""Marks of one object in one frame: box, clicks, scribble, brush, polygon; clearing and pinning."""

import collections
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError
from vosjax.interactive.marker import Marker, MarkModel
from vosjax.studio.clip import Clip, Values, probability_of
from vosjax.studio.maps import Labels
from vosjax.studio.painting import brush, polygon, sampled
from vosjax.studio.worker import Worker

MARKERS = 4  # frames whose features are kept
ANSWERS = 64 << 20  # bytes of the latest answers, from which a further click goes on
PER_STROKE = 8  # most clicks that a stroke of a scribble becomes
MOST = 100  # most clicks of one object in one frame

Box = tuple[float, float, float, float]
Point = tuple[float, float, bool]


class _Answer(NamedTuple):
    """What was answered to a mark: from what, to what, and the label map that came of it."""

    base: Labels | None
    box: Box | None
    points: tuple[Point, ...]
    probability: npt.NDArray[np.float32]


class Marking:
    """Marks objects with the interactive network, which remembers the latest frames and answers.

    marking = Marking(load_marker(), worker)
    marking.mark(clip, frame=12, object_id=1, box=(20, 16, 40, 30))
    """

    def __init__(self, model: MarkModel, worker: Worker) -> None:
        """Takes the network, and the thread that computes."""
        self._model, self._worker = model, worker
        self._markers: collections.OrderedDict[tuple[str, int], Marker] = collections.OrderedDict()
        self._answers: collections.OrderedDict[Any, _Answer] = collections.OrderedDict()
        self._lock = threading.Lock()

    def mark(
        self,
        clip: Clip,
        *,
        frame: int,
        object_id: int,
        box: Box | None = None,
        points: Sequence[Point] = (),
        together: bool = False,
        name: str | None = None,
        expected: int | None = None,
    ) -> dict[str, Any]:
        """Gives an object the mask that the network makes of a box and clicks; pins the frame.

        Each further click goes on from the answer before it. Clicks without a box on an object
        that has a mask in the frame correct that mask.

        Args:
            clip: the video.
            frame: index of the frame.
            object_id: the object.
            box: (x, y, width, height) in pixels of the frame.
            points: all clicks so far, (x, y, whether it is on the object), the oldest first.
            together: whether the latest clicks came as one stroke, and are looked at as one.
            name: what the action is called; None for 'box' or 'click'.
            expected: as for `Clip.edit`.

        Returns:
            The state.

        Raises:
            InputError: a mark is none, or lies outside of the frame; or no object is seen there.
        """
        if len(points) > MOST:
            raise InputError(f"{len(points)} clicks are too many: at most {MOST} are looked at")
        with clip.lock:
            clip.check_revision(expected)
            clip.check_frame(frame)
            clip.check_object(object_id)
            now = clip.history.tables["labelled"].get(str(frame))
            before = self._answers.get((clip.id, frame, object_id, now))
            current = clip.labels(frame)
        base = current if before is None else before.base
        image = clip.frames.image(frame)

        def answer() -> npt.NDArray[np.float32]:
            marker = self._marker(clip, frame, image)
            return _answered(marker, object_id, base, before, box, tuple(points), together)

        probability = self._worker.call(answer)
        mask = probability > 0.5
        if not mask.any():
            raise InputError(
                "no object is seen there: draw the box closer, or click on the object itself"
            )

        def make() -> Values:
            labels = _with_mask(base, object_id, mask, clip.blank())
            values = _given(clip, frame, object_id, labels, probability_of(mask, probability))
            key = (clip.id, frame, object_id, values["labelled"][frame])
            with self._lock:
                self._answers[key] = _Answer(base, box, tuple(points), probability)
                while len(self._answers) > max(ANSWERS // probability.nbytes, 1):
                    self._answers.popitem(last=False)
            return values

        what = name or ("click" if points else "box")
        return clip.edit(f"{what} on frame {frame}", make, expected=expected)

    def prepare(self) -> Iterator[None]:
        """Compiles the network, as a job for the worker."""
        side = self._model.side
        Marker(np.zeros((side, side, 3), np.uint8), model=self._model).probability(
            box=(0, 0, side / 2, side / 2)
        )
        yield

    def scribble(
        self,
        clip: Clip,
        *,
        frame: int,
        object_id: int,
        strokes: Sequence[tuple[Sequence[Sequence[float]], bool]],
        expected: int | None = None,
    ) -> dict[str, Any]:
        """Marks an object by strokes, (points, whether on the object), as clicks along them.

        Raises:
            InputError: as for `mark`.
        """
        height, width = clip.frames.size
        clicks = [
            (min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height)), inside)
            for points, inside in strokes
            for x, y in sampled(points, PER_STROKE)
        ]
        return self.mark(
            clip,
            frame=frame,
            object_id=object_id,
            points=clicks,
            together=True,
            name="scribble",
            expected=expected,
        )

    def forget(self, clip: Clip) -> None:
        """Forgets the frames and answers of a video."""
        with self._lock:
            for kept in (self._markers, self._answers):
                for key in [key for key in kept if key[0] == clip.id]:
                    del kept[key]

    def _marker(self, clip: Clip, frame: int, image: Any) -> Marker:
        with self._lock:
            marker = self._markers.pop((clip.id, frame), None) or Marker(image, model=self._model)
            self._markers[clip.id, frame] = marker
            while len(self._markers) > MARKERS:
                self._markers.popitem(last=False)
            return marker


def paint(
    clip: Clip,
    *,
    frame: int,
    object_id: int,
    kind: str,
    points: Sequence[Sequence[float]],
    radius: float = 1.0,
    erase: bool = False,
    expected: int | None = None,
) -> dict[str, Any]:
    """Gives pixels to an object or takes them from it, exactly; pins the frame. Returns the state.

        paint(clip, frame=12, object_id=1, kind="brush", points=[(40, 30)], radius=5)

    Args:
        clip: the video.
        frame: index of the frame.
        object_id: the object.
        kind: 'brush' or 'polygon'.
        points: (x, y) of the stroke, or of the corners.
        radius: of the brush in pixels.
        erase: whether pixels are taken from the object.
        expected: as for `Clip.edit`.

    Raises:
        InputError: the kind is unknown, or a point is none.
    """
    clip.check_frame(frame)
    if kind == "brush":
        area = brush(points, radius, clip.frames.size)
    elif kind == "polygon":
        area = polygon(points, clip.frames.size)
    else:
        raise InputError(f"kind is {kind[:20]!r}; brush or polygon is expected")

    def make() -> Values:
        clip.check_object(object_id)
        labels = clip.labels(frame)
        labels = clip.blank() if labels is None else labels.copy()
        if erase:
            labels[area & (labels == object_id)] = 0
        else:
            labels[area] = object_id
        return _given(clip, frame, object_id, labels, 1.0)

    what = "eraser" if erase and kind == "brush" else f"{kind} cut out" * erase or kind
    return clip.edit(f"{what} on frame {frame}", make, expected=expected)


def clear(
    clip: Clip, *, frame: int, object_id: int | None = None, expected: int | None = None
) -> dict[str, Any]:
    """Removes the masks of a frame, of one object or of all, with their pins. Returns the state.

    clear(clip, frame=12)
    """
    clip.check_frame(frame)

    def make() -> Values:
        if object_id is None:
            return {name: {frame: None} for name in ("labelled", "scores", "pins")}
        clip.check_object(object_id)
        labels = clip.labels(frame)
        labels = clip.blank() if labels is None else labels.copy()
        labels[labels == object_id] = 0
        pinned = clip.pins().get(frame, frozenset()) - {object_id}
        values = clip.frame_values(frame, labels, pinned=pinned)
        rows = {
            id: row for id, row in (values["scores"][frame] or {}).items() if id != str(object_id)
        }
        values["scores"][frame] = rows or None
        if not rows:
            values["labelled"][frame] = None
        return values

    return clip.edit(f"frame {frame} cleared", make, expected=expected)


def pin(clip: Clip, *, frame: int, expected: int | None = None) -> dict[str, Any]:
    """Accepts the masks of a frame as right: of all objects that have a score there.

        pin(clip, frame=12)

    Raises:
        InputError: nothing is known of the frame.
    """
    clip.check_frame(frame)

    def make() -> Values:
        scores = clip.scores(frame)
        if not scores:
            raise InputError(f"there is no mask in frame {frame} to be accepted")
        return {"pins": {frame: sorted({*scores, *clip.pins().get(frame, ())} & clip.ids())}}

    return clip.edit(f"frame {frame} pinned", make, expected=expected)


def _answered(
    marker: Marker,
    object_id: int,
    base: Labels | None,
    before: _Answer | None,
    box: Box | None,
    points: tuple[Point, ...],
    together: bool,
) -> npt.NDArray[np.float32]:
    """Returns the probability of an object, click by click from where the answers agree.

    Clicks that came `together`, along a stroke, are looked at together.
    """
    known: npt.NDArray[np.float32] | None = None
    start = 0
    if before is not None and before.box == box and points[: len(before.points)] == before.points:
        known, start = before.probability, len(before.points)
        if start == len(points):
            return known
    elif box is None:
        mask = None if base is None else base == object_id
        known = mask.astype(np.float32) if mask is not None and mask.any() else None
    if known is None and box is not None:
        known = marker.probability(box=box)
    if known is None:  # until one of them is on the object, clicks say nothing by themselves
        first = next((at for at, point in enumerate(points) if point[2]), 0)
        start = len(points) if together else first + 1
        known = marker.probability(points=points[:start])
    ends = range(start + 1, len(points) + 1)
    for end in ends[-1:] if together else ends:
        known = marker.probability(box=box, points=points[:end], so_far=known)
    return known


def _with_mask(
    base: Labels | None, object_id: int, mask: npt.NDArray[np.bool_], blank: Labels
) -> Labels:
    """Returns a label map in which an object has the pixels of a mask and no others."""
    labels = blank if base is None else np.where(base == object_id, 0, base).astype(np.uint8)
    labels[mask] = object_id
    return labels


def _given(clip: Clip, frame: int, object_id: int, labels: Labels, probability: float) -> Values:
    """Returns the values of a frame in which the user gave an object."""
    pinned = clip.pins().get(frame, frozenset()) | {object_id}
    return clip.frame_values(frame, labels, sure={object_id: probability}, pinned=pinned)
