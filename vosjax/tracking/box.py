"""`track_box()`: a generator over a video that follows one object as a box."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from vosjax.boxes import appearance, dimp_tracker
from vosjax.boxes.given import checked_box
from vosjax.boxes.protocol import BoxOutput, BoxTracker
from vosjax.compile_cache import compile_cache
from vosjax.errors import InputError, Note
from vosjax.io.video import Video, open_video, prefetch
from vosjax.loading.pretrained import Loaded, load


class BoxResult(NamedTuple):
    """What `track_box` says of a frame.

    index   from 0
    output  the object's `BoxOutput`, as NumPy arrays; its flag is an index into
            `boxes.protocol.FLAGS`, 0 where all is well and 3 where the object is lost
    """

    index: int  # type: ignore[assignment]  # a tuple's own method, which nobody needs here
    output: BoxOutput


def track_box(
    video: Any,
    box: Any,
    *,
    weights: str | os.PathLike[str] | None = None,
    model: Loaded | str | os.PathLike[str] | None = None,
) -> Iterator[BoxResult]:
    """Follows an object through a video as a box, given its box in the first frame.

        for index, (box, score, flag) in vosjax.track_box("dog.mp4", (120, 80, 64, 48)):
            print(index, box.round(), float(score), flag)

    With `weights` the tracker is DiMP-50. Without them it is DiMP's target model on the features of
    a network for segmentation; the box then keeps the size that it was given. An object that is
    lost is no error: its flag says so, and its last box is repeated until it is found near there.

    Args:
        video: whatever `io.video.open_video` takes: a video file, a folder of images, a camera's
            index, an address, or any iterable of uint8 [H, W, 3] RGB frames.
        box: four numbers (x, y, w, h) in pixels: the upper left corner, width and height, where
            pixel i covers i to i + 1.
        weights: a folder of converted weights of DiMP-50, see configs/dimp.py.
        model: a network for segmentation, or what `load` takes; None is the embedded default.

    Yields:
        A `BoxResult` for every frame; that of the first is the box itself with score 1.

    Raises:
        InputError: a box that is no box or lies outside of the video; weights or a model that
            cannot be used; both of them; a video that cannot be read, after the results of the
            frames before.
    """
    compile_cache()
    if weights is not None and model is not None:
        raise InputError("weights and model were given; a box tracker takes one of them")
    if weights is not None:
        tracker, params = dimp_tracker.tracker(), dimp_tracker.load_params(weights)
    else:
        loaded = model if isinstance(model, Loaded) else load(model)
        tracker, params = appearance.tracker(loaded.model.vos), loaded.params
    video = open_video(video)
    start = checked_box(box, video.size, within="video")
    for note in video.notes:
        warnings.warn(note, Note, stacklevel=2)
    return _results(tracker, params, video, start)


def _results(
    tracker: BoxTracker, params: Any, video: Video, start: np.ndarray
) -> Iterator[BoxResult]:
    """Yields the result of every frame while the next one is computed."""
    waiting: Callable[[], BoxResult] | None = None
    state: Any = None
    output = BoxOutput(start, np.ones((), np.float32), np.zeros((), np.int32))
    with contextlib.closing(prefetch(video.stream(0))) as frames:
        for index, frame in enumerate(frames):
            if index == 0:
                state = tracker.init(params, frame.image, start)
            elif not frame.missing:
                state, output = tracker.step(params, state, frame.image)
            if waiting is not None:
                yield waiting()
            waiting = _later(index, output)
    if waiting is not None:
        yield waiting()
    for note in video.findings.reading(video.name):
        warnings.warn(note, Note, stacklevel=2)


def _later(index: int, output: BoxOutput) -> Callable[[], BoxResult]:
    def wait() -> BoxResult:
        return BoxResult(index, BoxOutput(*(np.asarray(leaf) for leaf in output)))

    return wait
