"""Whole videos at full speed: frames encoded in batches ahead, several videos of one plan at once.

`Tracker` takes frames as they come; here everything is known before: where objects start, how many
frames the memory will hold. So nothing grows, encoding runs in batches of frames, and videos with
the same plan run in one `vmap`. The masks are the tracker's.
"""

import collections
import concurrent.futures
import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.compose import combinators
from vosjax.compose.combinators import groups
from vosjax.eval.plan import Plan
from vosjax.io.video import prefetch
from vosjax.layers.resize import resize, resize_maps, resize_nearest
from vosjax.loading.ensembles import Part
from vosjax.prompt import apply_prompt
from vosjax.tracking.step import MemoryClock, advance, remembers
from vosjax.tracking.tracker import to_labels
from vosjax.types import Prompt, Spec, Vos

AHEAD = 3  # frames whose results may be under way
READERS = 4  # threads that decode images


class VideoInput(NamedTuple):
    """One video to follow.

    frames  functions without arguments that give uint8 [H, W, 3], in order
    marks   {index: uint8 [H, W] of ids}, the frames that give objects
    ids     every object's id, in the order of their slots
    """

    frames: Sequence[Callable[[], np.ndarray]]
    marks: dict[int, np.ndarray]
    ids: tuple[int, ...]


class EngineOutput(NamedTuple):
    """One frame of one video.

    index    of the frame
    labels   uint8 [H, W] of ids
    verdict  [N, 3], see `tracker.judge`
    packed   uint8 or uint16 [N, h, w] probabilities of the objects, None if they are not kept
    """

    index: int
    labels: np.ndarray
    verdict: np.ndarray
    packed: np.ndarray | None


class Packing(NamedTuple):
    """How probabilities are kept: 8 or 16 bits, at `scale` of the frame's size."""

    bits: int
    scale: float


class Engine:
    """Runs plans through a network on one device, or its parts on several.

    compile_seconds  spent so far on compiling
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        fuse: Callable = combinators.mean,
        devices: Sequence[Any] | None = None,
        chunk: int = 1,
        max_short_side: int | None = None,
        packing: Packing | None = None,
    ):
        """Args:
        parts: of `ensembles.parts`, or one `Part`, the whole network.
        fuse: of the parts' members.
        devices: the parts are dealt out over them; None takes the first there is.
        chunk: frames that are encoded in one batch.
        max_short_side: most pixels of the short side that the network sees, as of `Tracker`.
        packing: of the probabilities that are given back, if any.
        """
        devices = list(devices or jax.local_devices()[:1])
        self._devices = [devices[i % len(devices)] for i in range(len(parts))]
        self._parts = [
            part._replace(params=jax.device_put(part.params, device))
            for part, device in zip(parts, self._devices)
        ]
        self._fuse, self._chunk, self._packing = fuse, chunk, packing
        self._max_short_side = max_short_side
        self._programs = {}
        self.compile_seconds = 0.0

    def follow(
        self, plan: Plan, videos: Sequence[VideoInput]
    ) -> Iterator[list[EngineOutput | None]]:
        """Runs videos of one plan side by side.

        Yields:
          for every frame from the first that gives objects to the end of the longest video, an
          `Outcome` for each video, None for those that have ended.

        Raises:
          InputError: a frame that cannot be read.
        """
        programs = self._compiled(plan, len(videos))
        states = [program.start(part.params) for part, program in zip(self._parts, programs.parts)]
        slots = plan.slots * plan.groups
        ids = np.zeros((len(videos), slots + 1), np.uint8)
        for row, video in zip(ids, videos):
            row[1 : len(video.ids) + 1] = video.ids
        first, last = min(plan.given), min(plan.given)
        waiting = collections.deque()
        with contextlib.closing(prefetch(_chunks(videos, first, self._chunk), 2)) as chunks:
            for begin, frames, count in chunks:
                features = [
                    program.encode(part.params, jax.device_put(frames, device))
                    for part, program, device in zip(self._parts, programs.parts, self._devices)
                ]
                for index in range(begin, begin + count):
                    clock = MemoryClock(*(np.int32(x) for x in (index, last, plan.gap)))
                    if remembers(index in plan.given, index, last, plan.gap):
                        last = index
                    prompt = _prompt(videos, index, slots) if index in plan.given else None
                    probs = []
                    for i, (part, program) in enumerate(zip(self._parts, programs.parts)):
                        go = program.advance if prompt is None else program.mark
                        states[i], mine = go(
                            part.params,
                            states[i],
                            features[i],
                            np.int32(index - begin),
                            clock,
                            *(prompt or ()),
                        )
                        probs.append(jax.device_put(mine, self._devices[0]))
                    settle = programs.settle if prompt is None else programs.settle_marked
                    waiting.append((index, settle(probs, ids, *(prompt or ()))))
                    if len(waiting) > AHEAD:
                        yield _fetched(videos, *waiting.popleft())
        while waiting:
            yield _fetched(videos, *waiting.popleft())

    def _compiled(self, plan, batch):
        key = plan._replace(given=(), gap=0), batch  # neither decides a shape
        if key not in self._programs:
            start = time.perf_counter()
            self._programs[key] = self._compile(plan, batch)
            self.compile_seconds += time.perf_counter() - start
        return self._programs[key]

    def _compile(self, plan, batch) -> "_Programs":
        slots, (height, width) = plan.slots * plan.groups, plan.size
        each = [
            _compile_part(part, plan, batch, self._chunk, self._max_short_side, device)
            for part, device in zip(self._parts, self._devices)
        ]
        near = jax.sharding.SingleDeviceSharding(self._devices[0])
        probs = [
            jax.ShapeDtypeStruct((batch, slots + 1, height, width), jnp.float32, sharding=near)
        ] * len(each)
        ids = jax.ShapeDtypeStruct((batch, slots + 1), jnp.uint8)
        marks = _mark_shapes(plan, batch)
        settle = functools.partial(
            _to_outputs, tuple(part.member for part in self._parts), self._fuse, self._packing
        )
        return _Programs(
            each,
            jax.jit(settle).lower(probs, ids).compile(),
            jax.jit(settle).lower(probs, ids, *marks).compile(),
        )


class _Programs(NamedTuple):
    """Compiled: the parts' own, and what makes labels of their probabilities."""

    parts: list
    settle: Callable
    settle_marked: Callable


class _PartPrograms(NamedTuple):
    """Of one part, compiled; batches of videos come first, states are donated.

    start    (params) -> state
    encode   (params, frames uint8 [B, T, H, W, 3]) -> features, every leaf [T, B, ...]
    advance  (params, state, features, number in the chunk, clock) -> state, probs [B, N+1, H, W]
    mark     the same with labels [B, H, W] and given [B, N] behind
    """

    start: Callable
    encode: Callable
    advance: Callable
    mark: Callable


def network_size(vos: Vos, size: tuple[int, int], max_short_side: int | None) -> tuple[int, int]:
    """What a network sees of frames of `size`."""
    ratio = min(1, max_short_side / min(size)) if max_short_side else 1
    return vos.size(*(max(round(side * ratio), 1) for side in size))


def _compile_part(
    part: Part, plan: Plan, batch: int, chunk: int, max_short_side: int | None, device: Any
) -> _PartPrograms:
    vos = groups(part.vos._replace(slots=plan.slots), plan.groups)
    spec = Spec(
        *network_size(vos, plan.size, max_short_side), plan.slots * plan.groups, plan.capacity
    )
    here = jax.sharding.SingleDeviceSharding(device)

    def placed(shapes):
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), shapes
        )

    def start(params):
        one = vos.init(params, spec)
        return jax.tree.map(lambda leaf: jnp.zeros((batch, *leaf.shape), leaf.dtype) + leaf, one)

    def encode(params, frames):
        frames = frames.astype(jnp.float32)
        small = resize(frames, spec.height, spec.width, kind="cubic") / 255
        features = jax.vmap(jax.vmap(lambda frame: vos.encode(params, frame)))(small)
        return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), features)

    def one(params, state, features, clock, prompt):
        answer = advance(
            vos,
            params,
            state,
            features,
            prompt,
            clock,
            annotated=jnp.asarray(prompt is not nothing),
        )
        return answer.state, resize_maps(answer.predicted, *plan.size)

    nothing = Prompt(jnp.zeros((spec.height, spec.width), jnp.int32), jnp.zeros(spec.objects, bool))

    def step(params, state, features, number, clock):
        now = jax.tree.map(lambda leaf: leaf[number], features)
        return jax.vmap(lambda state, now: one(params, state, now, clock, nothing))(state, now)

    def mark(params, state, features, number, clock, labels, given):
        now = jax.tree.map(lambda leaf: leaf[number], features)
        small = resize_nearest(labels.astype(jnp.int32), spec.height, spec.width)
        return jax.vmap(
            lambda state, now, labels, given: one(params, state, now, clock, Prompt(labels, given))
        )(state, now, small, given)

    params = placed(part.params)
    frames = placed(jax.ShapeDtypeStruct((batch, chunk, *plan.size, 3), jnp.uint8))
    begun = jax.jit(start).lower(params).compile()
    encoded = jax.jit(encode).lower(params, frames).compile()
    state = placed(jax.eval_shape(start, params))
    features = placed(jax.eval_shape(encode, params, frames))
    number = jax.ShapeDtypeStruct((), jnp.int32)
    common = params, state, features, number, MemoryClock(number, number, number)
    return _PartPrograms(
        begun,
        encoded,
        jax.jit(step, donate_argnums=1).lower(*common).compile(),
        jax.jit(mark, donate_argnums=1).lower(*common, *_mark_shapes(plan, batch)).compile(),
    )


def _mark_shapes(plan, batch):
    return (
        jax.ShapeDtypeStruct((batch, *plan.size), jnp.uint8),
        jax.ShapeDtypeStruct((batch, plan.slots * plan.groups), jnp.bool_),
    )


def _to_outputs(members, fuse, packing, probs, ids, labels=None, given=None):
    """Labels, verdicts and packed probabilities of the parts' probabilities [B, N+1, H, W]."""
    own = [
        [mine for member, mine in zip(members, probs) if member == number]
        for number in sorted(set(members))
    ]
    means = jnp.stack([sum(views) / len(views) for views in own], 1)

    def one(means, ids, labels, given):
        fused = means[0] if len(own) == 1 else fuse(means)
        if labels is not None:
            fused = apply_prompt(fused, Prompt(labels.astype(jnp.int32), given))
        packed = None if packing is None else pack(fused, packing)
        return *to_labels(fused, ids), packed

    return jax.vmap(one)(means, ids, labels, given)


def pack(probs: jax.Array, packing: Packing) -> jax.Array:
    """The objects of probs [N+1, H, W], smaller and in whole numbers [N, h, w]."""
    height, width = (max(round(side * packing.scale), 1) for side in probs.shape[1:])
    small = resize_maps(probs[1:], height, width)
    kind = {8: jnp.uint8, 16: jnp.uint16}[packing.bits]
    return jnp.round(small * (2**packing.bits - 1)).astype(kind)


def _prompt(videos, index, slots):
    """(labels [B, H, W] of slots, given [B, N]) of one frame."""
    labels, given = [], np.zeros((len(videos), slots), bool)
    for row, video in zip(given, videos):
        table = np.zeros(256, np.uint8)
        table[list(video.ids)] = np.arange(1, len(video.ids) + 1)
        labels.append(table[video.marks[index]])
        row[[slot - 1 for slot in np.unique(labels[-1]) if slot]] = True
    return np.stack(labels), given


def _chunks(videos, first, size) -> Iterator[tuple[int, np.ndarray, int]]:
    """(index of the first frame, frames uint8 [B, T, H, W, 3], how many of T are frames)."""
    longest = max(len(video.frames) for video in videos)
    with concurrent.futures.ThreadPoolExecutor(READERS, "read") as pool:
        for begin in range(first, longest, size):
            wanted = [
                video.frames[min(index, len(video.frames) - 1)]
                for video in videos
                for index in range(begin, begin + size)
            ]
            images = np.stack(list(pool.map(lambda read: read(), wanted)))
            yield (
                begin,
                images.reshape(len(videos), size, *images.shape[1:]),
                min(size, longest - begin),
            )


def _fetched(videos, index, results):
    labels, verdicts, packed = (None if part is None else np.asarray(part) for part in results)
    return [
        EngineOutput(index, labels[i], verdicts[i], None if packed is None else packed[i])
        if index < len(video.frames)
        else None
        for i, video in enumerate(videos)
    ]
