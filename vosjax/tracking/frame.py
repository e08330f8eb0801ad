"""A frame of the user's through a network: to its size, the step, and back as labels and scores.

The tracker runs all of it as one compiled call a frame (`frame_program`). The evaluation's engine
compiles the same functions for batches: `to_network` and the encoder for many frames ahead,
`follow_frame` for several videos at once, `to_labels` after several networks are fused.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.io.scores import ObjectScore
from vosjax.layers.resize import resize, resize_maps, resize_nearest
from vosjax.prompt import apply_prompt
from vosjax.tracking.slots import HostArray, to_ids
from vosjax.tracking.step import MemoryClock, advance
from vosjax.types import Array, Prompt, Scalar, Spec, Vos


class FrameOutput(NamedTuple):
    """What a tracker says of a frame.

    labels  uint8 [H, W] of the user's ids, 0 the background
    scores  {id: `ObjectScore`} of the objects that are followed
    """

    labels: HostArray
    scores: dict[int, ObjectScore]


class FollowedFrame(NamedTuple):
    """What `follow_frame` gives.

    state  the network's, after the frame
    probs  [N+1, H, W] float32 at the user's size, without the prompt
    """

    state: Any
    probs: jax.Array


class FrameProgram(NamedTuple):
    """A compiled frame (`frame_program`), and in `traces[0]` how often it was traced."""

    run: Any
    traces: list[int]


def checked_frame(frame: HostArray, size: tuple[int, int] | None, time: int) -> HostArray:
    """A copy of the frame, whose buffer may be used again.

        frame = checked_frame(frame, (480, 854), time=12)

    Args:
      frame: uint8 [H, W, 3] RGB.
      size: (H, W) of the frames before; None for the first.
      time: its index, for the message.

    Raises:
      ValueError: another type, shape or size.
    """
    frame = np.array(frame)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ValueError(
            f"a frame was given as {frame.dtype} {list(frame.shape)}; uint8 [H, W, 3] RGB is "
            "expected"
        )
    if size is not None and frame.shape[:2] != size:
        raise ValueError(
            f"frame {time} is {frame.shape[0]}x{frame.shape[1]}, those before are "
            f"{size[0]}x{size[1]} (height x width); start a new tracker for frames of another size"
        )
    return frame


def network_size(vos: Vos, size: tuple[int, int], max_short_side: int | None) -> tuple[int, int]:
    """The (height, width) at which a network sees the user's frames.

        height, width = network_size(model.model.vos, (1080, 1920), max_short_side=480)

    Args:
      vos: the network, which has a size rule of its own.
      size: (H, W) of the user's frames.
      max_short_side: most pixels of the short side before that rule; None for no limit.
    """
    ratio = min(1, max_short_side / min(size)) if max_short_side else 1
    return vos.size(*(max(round(side * ratio), 1) for side in size))


def to_network(frames: jax.Array, spec: Spec) -> jax.Array:
    """The user's frames as a network sees them.

        features = jax.vmap(lambda frame: vos.encode(params, frame))(to_network(frames, spec))

    Args:
      frames: uint8 [..., H, W, 3] RGB.
      spec: of the network.

    Returns:
      float32 [..., height, width, 3] in about 0..1 (the cubic kernel overshoots a little).
    """
    return resize(frames.astype(jnp.float32), spec.height, spec.width, kind="cubic") / 255


def prompt_to_network(prompt: Prompt, spec: Spec, marked: Scalar) -> Prompt:
    """A prompt at the user's size as a network sees it.

        small = prompt_to_network(prompt, spec, jnp.any(prompt.given))

    Labels are resized to the nearest. An object that would be left without a pixel is marked
    wherever it has one at the user's size; of several such objects in one place the first is.

    Args:
      prompt: labels [H, W] at the user's size.
      spec: of the network.
      marked: whether any object is given.
    """
    labels = resize_nearest(prompt.labels, spec.height, spec.width)
    slots = jnp.arange(1, spec.objects + 1, dtype=prompt.labels.dtype)[:, None, None]
    rows, columns = (
        ((np.arange(old) + 0.5) * new / old).astype(np.int32)
        for old, new in zip(prompt.labels.shape, (spec.height, spec.width))
    )

    def with_lost(lost: jax.Array) -> jax.Array:
        pixels = (prompt.labels == slots) & lost[:, None, None]
        touched = jnp.zeros((spec.objects, spec.height, spec.width), bool)
        touched = touched.at[:, rows[:, None], columns].max(pixels)
        first = touched.argmax(0).astype(labels.dtype) + 1
        return jnp.where(touched.any(0), first, labels)

    def complete() -> jax.Array:
        lost = jnp.asarray(prompt.given) & ~(labels == slots).any((1, 2))
        kept: jax.Array = jax.lax.cond(lost.any(), lambda: with_lost(lost), lambda: labels)
        return kept

    return Prompt(jax.lax.cond(marked, complete, lambda: labels), prompt.given)


def lost_objects(labels: HostArray, spec: Spec) -> dict[int, int]:
    """{id: pixels} of the objects that have no pixel left at the network's size.

        lost_objects(mask, spec)      # {7: 3}

    Args:
      labels: integers [H, W] of ids.
      spec: of the network.
    """
    ids, pixels = np.unique(labels, return_counts=True)
    kept = np.unique(resize_nearest(labels, spec.height, spec.width))
    return {int(id): int(count) for id, count in zip(ids, pixels) if id and not np.isin(id, kept)}


@functools.lru_cache(maxsize=16)
def nothing_marked(size: tuple[int, int], slots: int) -> Prompt:
    """The prompt of a frame in which nothing is marked; the labels are on the device.

    It is kept for the next frame, so it is not for use while tracing.

        prompt = nothing_marked((480, 854), slots=10)

    Args:
      size: (H, W).
      slots: the number of slots N.
    """
    return Prompt(jnp.zeros(size, jnp.int32), np.zeros(slots, bool))


def follow_frame(
    vos: Vos,
    params: Any,
    state: Any,
    features: Any,
    prompt: Prompt,
    clock: MemoryClock,
    *,
    spec: Spec,
    size: tuple[int, int],
    allowed: Array | None = None,
    annotated: Scalar | None = None,
) -> FollowedFrame:
    """The step of a frame whose prompt comes, and whose probabilities go, at the user's size.

        state, probs = follow_frame(
            vos, params, state, features, prompt, clock, spec=spec, size=(1080, 1920)
        )

    Args:
      vos: the network.
      params: its weights.
      state: its state.
      features: of the frame, see `to_network`.
      prompt: what the user marked, at the user's size.
      clock: when frames are remembered.
      spec: of the state.
      size: (H, W) of the user's frames.
      allowed: as for `advance`.
      annotated: likewise.
    """
    marked = jnp.any(prompt.given) if annotated is None else annotated
    small = prompt_to_network(prompt, spec, marked)
    output = advance(
        vos, params, state, features, small, clock, allowed=allowed, annotated=annotated
    )
    return FollowedFrame(output.state, resize_maps(output.predicted, *size))


def to_labels(probs: jax.Array, ids: Array) -> tuple[jax.Array, jax.Array]:
    """Labels of a frame, and what can be said of every slot there.

        labels, object_stats = to_labels(probs, jnp.array([0, 7, 200], jnp.uint8))

    Args:
      probs: [N+1, H, W].
      ids: uint8 [N+1], the id in each slot.

    Returns:
      labels uint8 [H, W] of ids; object stats float32 [N, 3]: the mean probability in the slot's
      mask, the mean distance to the second best there, and the mask's pixels.
    """
    channels = jnp.arange(probs.shape[0], dtype=jnp.int32)[:, None, None]
    winner = jnp.argmax(probs, 0).astype(jnp.int32)
    best = probs.max(0)
    second = jnp.where(channels == winner, 0, probs).max(0)
    inside = channels[1:] == winner
    area = inside.sum((1, 2)).astype(jnp.float32)
    sums = [jnp.where(inside, value, 0).sum((1, 2)) for value in (best, best - second)]
    means = [total / jnp.maximum(area, 1) for total in sums]
    return to_ids(winner, ids), jnp.stack([*means, area], 1)


def to_scores(object_stats: HostArray, followed: dict[int, int]) -> dict[int, ObjectScore]:
    """The object stats of `to_labels` as scores.

        scores = to_scores(np.asarray(object_stats), {7: 1, 200: 2})

    Args:
      object_stats: [N, 3].
      followed: {id: slot} of the objects that are asked for.

    Returns:
      {id: `ObjectScore`} in the order of ids.
    """
    scores = {}
    for id, slot in sorted(followed.items()):
        probability, margin, area = (float(value) for value in object_stats[slot - 1])
        scores[id] = ObjectScore(id, probability, margin, int(area), area == 0)
    return scores


@functools.lru_cache(maxsize=64)
def frame_program(vos: Vos, spec: Spec, size: tuple[int, int]) -> FrameProgram:
    """The compiled frame of a network at a Spec, for frames of the user's size.

        program = frame_program(vos, spec, (480, 854))
        state, labels, object_stats = program.run(params, state, frame, prompt, ids, clock)

    `run` donates the state. frame is uint8 [H, W, 3], prompt at the user's size, ids uint8 [N+1];
    slots without an id win no pixel, and what the user marked comes out as it was marked.
    """
    traces = [0]

    def run(
        params: Any,
        state: Any,
        frame: jax.Array,
        prompt: Prompt,
        ids: jax.Array,
        clock: MemoryClock,
    ) -> tuple[Any, jax.Array, jax.Array]:
        traces[0] += 1
        features = vos.encode(params, to_network(frame, spec), None)
        followed = follow_frame(
            vos, params, state, features, prompt, clock, spec=spec, size=size, allowed=ids[1:] > 0
        )
        return followed.state, *to_labels(apply_prompt(followed.probs, prompt), ids)

    return FrameProgram(jax.jit(run, donate_argnums=1), traces)
