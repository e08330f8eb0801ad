"""Validation during training on a real dataset: J and F by the engine and the rules of `eval`."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from vosjax.datasets.decode import Labels
from vosjax.errors import InputError
from vosjax.eval import plan as plans
from vosjax.eval import results, source
from vosjax.eval.config import EvalConfig
from vosjax.eval.engine import Engine, VideoInput
from vosjax.eval.protocols import FrameCurves
from vosjax.eval.videos import EvalVideo, read_frame, read_given, read_labels
from vosjax.loading.ensembles import Part
from vosjax.train.config import LogConfig
from vosjax.types import Model

MEMORY = 32  # most remembered frames, as of weights whose card says nothing else
Planned = tuple[plans.Plan, EvalVideo]


class SetValidation:
    """Tracks the videos of a dataset from their given masks, and scores them.

        validation = SetValidation(model, config.train.log, mem_every=5)
        validation(params)      # {"validation_j": 0.71, "validation_f": 0.76}

    Programs are compiled at the first call. Every process of a cluster does the same on its first
    device, so that none has to wait for another.
    """

    def __init__(self, model: Model, settings: LogConfig, *, mem_every: int) -> None:
        """Finds the videos; nothing is computed yet.

        Args:
            model: the network.
            settings: which dataset, and how much of it.
            mem_every: frames from one remembered frame to the next.

        Raises:
            InputError: there is no such dataset, its files are incomplete or damaged, or it has no
                masks to score by.
        """
        options = EvalConfig(split=settings.split)
        self._protocol = results.scoring_rules(settings.data, options).protocol
        self._year, self._model, self._settings = options.year, model, settings
        self._mem_every = mem_every
        self._videos = chosen(source.discover(settings.data, options), settings)
        self._engine: Engine | None = None

    def __call__(self, params: Any) -> dict[str, float]:
        """Returns the mean J and F over all objects, in 0..1; {} if no object can be scored.

        Args:
            params: the weights, nested, on one device of this process.

        Raises:
            InputError: a frame or a mask cannot be read, or a video has too few masks.
        """
        if self._engine is None:
            accelerated = jax.default_backend() != "cpu"
            self._engine = Engine(
                [Part(self._model.vos, params, 0)],
                chunk=8 if accelerated else 1,
                max_short_side=self._settings.max_short_side,
            )
        else:
            self._engine.replace_params([params])
        scores: dict[str, Any] = {}
        for batch in self._batches:
            scores |= self._scored(self._engine, batch)
        table = self._protocol.total({video.name: scores[video.name] for video in self._videos})
        means = {"validation_j": table["J-Mean"], "validation_f": table["F-Mean"]}
        return {name: mean for name, mean in means.items() if mean is not None}

    @functools.cached_property
    def _batches(self) -> list[list[Planned]]:
        """The videos in batches that run side by side."""
        planned = [
            (
                plans.plan(
                    video,
                    read_frame(video, 0).shape[:2],
                    slots=self._model.vos.slots,
                    mem_every=self._mem_every,
                    max_mem_frames=MEMORY,
                ),
                video,
            )
            for video in self._videos
        ]
        return plans.batches(planned, 4 if jax.default_backend() != "cpu" else 1)

    def _scored(self, engine: Engine, batch: list[Planned]) -> dict[str, Any]:
        """Tracks the videos of a batch; returns {video: its scores}."""
        plan = batch[0][0]
        videos = [video for _, video in batch]
        inputs = [_input(video, plan, self._year) for video in videos]
        tracked = [dict[int, Labels]() for _ in videos]
        for outputs in engine.follow(plan, inputs):
            for video, kept, output in zip(videos, tracked, outputs):
                if output is not None and output.index in (video.truths or ()):
                    kept[output.index] = output.labels
        nothing = np.zeros(plan.size, np.uint8)  # before the first object is given
        scores = {}
        for video, kept in zip(videos, tracked):
            frames = [
                FrameCurves(
                    video.frames[t], functools.partial(read_labels, video, t), kept.get(t, nothing)
                )
                for t in video.truths or ()
            ]
            try:
                scores[video.name] = self._protocol.sequence(video.name, frames)
            except ValueError as error:
                raise InputError(f"config.train.log.data cannot be scored: {error}") from error
        return scores


def chosen(videos: Sequence[EvalVideo], settings: LogConfig) -> list[EvalVideo]:
    """Returns the videos that a training validates on, with as many frames as it takes.

        chosen(videos.discover("DAVIS", split="val"), LogConfig(videos=5, video_frames=40))

    Args:
        videos: the videos of a dataset.
        settings: `videos` are taken at even distances, and `video_frames` from the first frame on.

    Raises:
        InputError: no video has public truth, or a video is damaged or too short.
    """
    public = [video for video in videos if video.truths]
    if not public:
        raise InputError(
            f"config.train.log.data is {settings.data}, of which no video has public masks to "
            "score by: name a dataset with masks"
        )
    count = min(settings.videos or len(public), len(public))
    rows = np.linspace(0, len(public) - 1, count).round().astype(int)
    taken = [shortened(public[row], settings.video_frames) for row in rows]
    for video in taken:
        if video.damage:
            raise InputError(f"config.train.log.data: {video.damage}")
    return taken


def shortened(video: EvalVideo, frames: int) -> EvalVideo:
    """Returns the first frames of a video as a video.

        shortened(video, 40)

    Args:
        video: the video.
        frames: how many frames; 0: all.

    Raises:
        InputError: no object is given in these frames.
    """
    if not frames or frames >= len(video.frames):
        return video
    starts = {key: start for key, start in video.starts.items() if start < frames}
    if not starts:
        raise InputError(
            f"config.train.log.video_frames is {frames}: video {video.name} has no object before "
            f"frame {min(video.starts.values())}; take more frames"
        )
    return video._replace(
        frames=video.frames[:frames],
        starts=starts,
        scored=tuple(t for t in video.scored if t < frames),
        truths=tuple(t for t in video.truths or () if t < frames),
        written=tuple(t for t in video.written if t < frames),
    )


def _input(video: EvalVideo, plan: plans.Plan, year: int) -> VideoInput:
    ids = tuple(sorted(video.starts, key=lambda key: (video.starts[key], key)))
    marks = {index: read_given(video, index, year=year) for index in plan.annotated}
    readers = [functools.partial(read_frame, video, index) for index in range(len(video.frames))]
    return VideoInput(readers, marks, ids)
