"""Whole videos at full speed: frames are encoded ahead in batches, videos of one plan run together.

`Tracker` takes frames as they come. Here everything is known in advance: where objects start, and
how many frames the memory will hold. So nothing grows, encoding runs on batches of frames, and
videos with the same plan run in one `vmap` (`programs`). The masks are the same as the tracker's.
"""

import collections
import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.compose import combinators
from vosjax.eval.plan import Plan
from vosjax.eval.programs import Packing, Programs, compile_plan
from vosjax.io.video import prefetch
from vosjax.loading.ensembles import Part
from vosjax.refine.refiner import Refiner, refine_program
from vosjax.tracking.slots import to_slots
from vosjax.tracking.step import MemoryClock, remembers
from vosjax.types import Array, Prompt

AHEAD = 3  # frames that may be under way on the device
READERS = 4  # threads that decode images


class VideoInput(NamedTuple):
    """A video to be tracked.

    frames  functions without arguments that return the frames, uint8 [H, W, 3], in order
    marks   {frame index: uint8 [H, W] of ids}, for the frames that give objects
    ids     the ids of all objects, in the order of their slots
    """

    frames: Sequence[Callable[[], np.ndarray]]
    marks: dict[int, np.ndarray]
    ids: tuple[int, ...]


class EngineOutput(NamedTuple):
    """The result of one frame of one video.

    index         index of the frame
    labels        uint8 [H, W] of ids
    object_stats  [N, 3], see `tracking.labels.to_labels`
    packed        uint8 or uint16 [N, h, w] probabilities of the objects, None if they are not kept
    counts        {name: int32}, what the refinement counted; {} without one
    """

    index: int  # type: ignore[assignment]  # hides `tuple.index`
    labels: np.ndarray
    object_stats: np.ndarray
    packed: np.ndarray | None
    counts: Mapping[str, Any] = {}


class Engine:
    """Runs plans through a network on one device, or its parts on several.

        engine = Engine([Part(model.model.vos, model.params, 0)], chunk=8)
        for outputs in engine.follow(plan, videos):      # an `EngineOutput` for each video
            ...

    compile_seconds  time spent on compiling so far
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        fuse: Callable[[jax.Array], jax.Array] = combinators.mean,
        devices: Sequence[Any] | None = None,
        chunk: int = 1,
        max_short_side: int | None = None,
        packing: Packing | None = None,
        refiner: Refiner | None = None,
    ):
        """Puts the parts on their devices; programs are compiled when they are needed.

        Args:
            parts: the parts of a network, see `ensembles.parts`; or one, the whole network.
            fuse: fuses the probabilities of members, [members, N+1, H, W] -> [N+1, H, W].
            devices: the devices over which the parts are distributed; None takes the first one.
            chunk: number of frames that are encoded in one batch.
            max_short_side: largest short side in pixels that the network sees, or None.
            packing: how probabilities are returned, or None.
            refiner: refines probabilities after they are fused; what the networks remember stays
                unrefined.
        """
        devices = list(devices or jax.local_devices()[:1])
        self._devices = [devices[i % len(devices)] for i in range(len(parts))]
        self._parts = [
            part._replace(params=jax.device_put(part.params, device))
            for part, device in zip(parts, self._devices)
        ]
        self._refiner = refiner and refiner._replace(
            params=jax.device_put(refiner.params, devices[0])
        )
        self._chunk = chunk
        self._settings: dict[str, Any] = dict(
            fuse=fuse, chunk=chunk, max_short_side=max_short_side, packing=packing
        )
        self._programs: dict[Any, Programs] = {}
        self.compile_seconds = 0.0

    def replace_params(self, params: Sequence[Any]) -> None:
        """Gives the parts other weights of the same shapes; compiled programs are kept.

            engine.replace_params([trained])

        Args:
            params: the weights of each part.
        """
        self._parts = [
            part._replace(params=jax.device_put(own, device))
            for part, own, device in zip(self._parts, params, self._devices, strict=True)
        ]

    def follow(
        self, plan: Plan, videos: Sequence[VideoInput]
    ) -> Generator[list[EngineOutput | None]]:
        """Runs videos of one plan side by side.

        Args:
            plan: the plan of all videos.
            videos: the videos.

        Yields:
            For every frame, from the first that gives objects to the end of the longest video, an
            `EngineOutput` for each video; None for videos that have ended.

        Raises:
            InputError: a frame cannot be read.
        """
        programs = self._compiled(plan, len(videos))
        states = [program.start(part.params) for part, program in zip(self._parts, programs.parts)]
        ids = np.zeros((len(videos), plan.slots * plan.groups + 1), np.uint8)
        for row, video in zip(ids, videos):
            row[1 : len(video.ids) + 1] = video.ids
        first, last = min(plan.annotated), min(plan.annotated)
        waiting: collections.deque[tuple[int, Any]] = collections.deque()
        with contextlib.closing(prefetch(_chunks(videos, first, self._chunk), 2)) as chunks:
            for begin, frames, count in chunks:
                features = [
                    program.encode(part.params, jax.device_put(frames, device))
                    for part, program, device in zip(self._parts, programs.parts, self._devices)
                ]
                for index in range(begin, begin + count):
                    clock = MemoryClock(*(np.int32(x) for x in (index, last, plan.mem_every)))
                    if remembers(index in plan.annotated, index, last, plan.mem_every):
                        last = index
                    marks = [_prompt(videos, index, ids)] if index in plan.annotated else []
                    probs = []
                    for i, (part, program) in enumerate(zip(self._parts, programs.parts)):
                        follow = program.follow_marked if marks else program.follow
                        number = np.int32(index - begin)
                        states[i], own = follow(
                            part.params, states[i], features[i], number, clock, *marks
                        )
                        probs.append(jax.device_put(own, self._devices[0]))
                    outputs = programs.outputs_marked if marks else programs.outputs
                    if self._refiner is None:
                        result = *outputs(probs, ids, *marks), [{}] * len(videos)
                    else:
                        result = _refine(
                            self._refiner,
                            programs,
                            frames[:, index - begin],
                            outputs(probs, *marks),
                            ids,
                            marks[0].given if marks else np.zeros_like(ids[:, 1:], bool),
                        )
                    for array in result[:3]:
                        if array is not None:
                            array.copy_to_host_async()
                    waiting.append((index, result))
                    if len(waiting) > AHEAD:
                        yield _to_outputs(videos, *waiting.popleft())
        while waiting:
            yield _to_outputs(videos, *waiting.popleft())

    def _compiled(self, plan: Plan, batch: int) -> Programs:
        key = plan._replace(annotated=(), mem_every=0), batch  # neither decides a shape
        if key not in self._programs:
            start = time.perf_counter()
            self._programs[key] = compile_plan(
                plan,
                batch,
                self._parts,
                self._devices,
                refined=self._refiner is not None,
                **self._settings,
            )
            self.compile_seconds += time.perf_counter() - start
        return self._programs[key]


def _refine(
    refiner: Refiner,
    programs: Programs,
    frames: np.ndarray,
    probs: jax.Array,
    ids: np.ndarray,
    given: Array,
) -> tuple[Any, Any, Any, list[dict[str, jax.Array]]]:
    """Returns labels, object stats, packed probabilities and counts of one frame of B videos."""
    assert programs.labels is not None
    refine = refine_program(refiner.stage)
    rows = [refine(refiner.params, *row) for row in zip(frames, probs, given)]
    labelled = programs.labels(jnp.stack([refined for refined, _ in rows]), ids)
    return *labelled, [counts for _, counts in rows]


def _prompt(videos: Sequence[VideoInput], index: int, ids: np.ndarray) -> Prompt:
    """Returns the prompt of one frame in all videos: labels [B, H, W] of slots, given [B, N]."""
    marked = [to_slots(video.marks[index], own) for video, own in zip(videos, ids)]
    return Prompt(*(np.stack(part) for part in zip(*marked)))


def _chunks(
    videos: Sequence[VideoInput], first: int, size: int
) -> Generator[tuple[int, np.ndarray, int], None, None]:
    """Yields (index of the first frame, frames uint8 [B, T, H, W, 3], how many of T are real)."""
    longest = max(len(video.frames) for video in videos)
    with concurrent.futures.ThreadPoolExecutor(READERS, "read") as pool:
        for begin in range(first, longest, size):
            readers = [
                video.frames[min(index, len(video.frames) - 1)]
                for video in videos
                for index in range(begin, begin + size)
            ]
            images = np.stack(list(pool.map(lambda read: read(), readers)))
            yield (
                begin,
                images.reshape(len(videos), size, *images.shape[1:]),
                min(size, longest - begin),
            )


def _to_outputs(
    videos: Sequence[VideoInput], index: int, outputs: tuple[Any, Any, Any, Any]
) -> list[EngineOutput | None]:
    labels, stats = (np.asarray(part) for part in outputs[:2])
    packed = None if outputs[2] is None else np.asarray(outputs[2])
    return [
        EngineOutput(
            index, labels[i], stats[i], None if packed is None else packed[i], outputs[3][i]
        )
        if index < len(video.frames)
        else None
        for i, video in enumerate(videos)
    ]
