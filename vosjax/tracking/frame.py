"""Takes a user's frame through a network: resizing, the step, and back to labels and scores.

The tracker compiles all of this into one call per frame (`frame_program`); where masks are refined,
a stage comes between probabilities and labels, and the network never sees its results. The engine
of the evaluation compiles the same functions for batches: `to_network` and the encoder for many
frames ahead, `follow_frame` for several videos at once, `to_labels` after several networks are
fused.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.io.scores import ObjectScore
from vosjax.layers.resize import resize, resize_maps, resize_nearest
from vosjax.prompt import apply_prompt
from vosjax.refine.refiner import refine_program
from vosjax.tracking.labels import labels_at, to_labels
from vosjax.tracking.slots import HostArray
from vosjax.tracking.step import MemoryClock, StepOutput, advance
from vosjax.types import Array, FrameStage, Prompt, Scalar, Spec, Vos


class FrameOutput(NamedTuple):
    """A tracker's result for a frame.

    labels  uint8 [H, W] of the user's ids, 0 for the background
    scores  {id: `ObjectScore`} for the objects that are followed
    """

    labels: HostArray
    scores: dict[int, ObjectScore]


class FollowedFrame(NamedTuple):
    """The result of `follow_frame`.

    state  the network's state after the frame
    probs  [N+1, H, W] float32 at the user's size, without the prompt
    """

    state: Any
    probs: jax.Array


class FrameProgram(NamedTuple):
    """A compiled frame, of `frame_program`.

    run      (params, state, frame, prompt, ids, clock) -> (state, labels, object stats, counts)
    network  the compiled function that holds the network: `run` itself unless masks are refined
    traces   `traces[0]` counts how often `network` was traced
    """

    run: Any
    network: Any
    traces: list[int]


def checked_frame(frame: HostArray, size: tuple[int, int] | None, time: int) -> HostArray:
    """Checks a frame and returns a copy, so that its buffer may be used again.

        frame = checked_frame(frame, (480, 854), time=12)

    Args:
        frame: uint8 [H, W, 3] RGB.
        size: (H, W) of the frames before; None for the first frame.
        time: index of the frame, for the message.

    Raises:
        ValueError: the frame has another dtype, shape or size.
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
    """Returns the (height, width) at which a network sees the user's frames.

        height, width = network_size(model.model.vos, (1080, 1920), max_short_side=480)

    Args:
        vos: the network, which has its own size rule.
        size: (H, W) of the user's frames.
        max_short_side: largest short side in pixels, before that rule; None for no limit.
    """
    ratio = min(1, max_short_side / min(size)) if max_short_side else 1
    return vos.size(*(max(round(side * ratio), 1) for side in size))


@jax.named_scope("to_network")
def to_network(frames: jax.Array, spec: Spec) -> jax.Array:
    """Resizes the user's frames to the network's size, and converts them to float32.

        features = jax.vmap(lambda frame: vos.encode(params, frame))(to_network(frames, spec))

    Args:
        frames: uint8 [..., H, W, 3] RGB.
        spec: the network's Spec.

    Returns:
        float32 [..., height, width, 3] in about 0..1 (the cubic kernel overshoots a little).
    """
    return resize(frames.astype(jnp.float32), spec.height, spec.width, kind="cubic") / 255


def prompt_to_network(prompt: Prompt, spec: Spec, marked: Scalar) -> Prompt:
    """Resizes a prompt from the user's size to the network's.

        small = prompt_to_network(prompt, spec, jnp.any(prompt.given))

    Labels are resized to the nearest. An object that would have no pixel left is marked in all
    pixels that it touches; if several such objects touch a pixel, the first one is marked.

    Args:
        prompt: labels [H, W] at the user's size.
        spec: the network's Spec.
        marked: whether any object is given.
    """
    labels = resize_nearest(prompt.labels, spec.height, spec.width)
    slots = jnp.arange(1, spec.objects + 1, dtype=prompt.labels.dtype)[:, None, None]
    rows, columns = (
        ((np.arange(old) + 0.5) * new / old).astype(np.int32)
        for old, new in zip(prompt.labels.shape, (spec.height, spec.width))
    )

    def with_lost(lost: jax.Array) -> jax.Array:
        pixels = ((prompt.labels == slots) & lost[:, None, None]).any(0)
        beyond = spec.objects + 1
        first = jnp.full((spec.height, spec.width), beyond, labels.dtype)
        touching = jnp.where(pixels, prompt.labels, beyond)
        first = first.at[rows[:, None], columns].min(touching)
        return jnp.where(first < beyond, first, labels)

    def complete() -> jax.Array:
        lost = jnp.asarray(prompt.given) & ~(labels == slots).any((1, 2))
        with_all: jax.Array = jax.lax.cond(lost.any(), lambda: with_lost(lost), lambda: labels)
        return with_all

    return Prompt(jax.lax.cond(marked, complete, lambda: labels), prompt.given)


def lost_objects(labels: HostArray, spec: Spec) -> dict[int, int]:
    """Returns {id: pixels} for the objects that have no pixel left at the network's size.

        lost_objects(mask, spec)      # {7: 3}

    Args:
        labels: integers [H, W] of ids.
        spec: the network's Spec.
    """
    ids, pixels = np.unique(labels, return_counts=True)
    remaining = np.unique(resize_nearest(labels, spec.height, spec.width))
    return {
        int(id): int(count) for id, count in zip(ids, pixels) if id and not np.isin(id, remaining)
    }


@functools.lru_cache(maxsize=16)
def nothing_marked(size: tuple[int, int], slots: int) -> Prompt:
    """Returns the prompt of a frame in which nothing is marked, with labels on the device.

        prompt = nothing_marked((480, 854), slots=10)

    It is cached for the next frames, so it must not be called while tracing.

    Args:
        size: (H, W) of the user's frames.
        slots: number of slots N.
    """
    return Prompt(jnp.zeros(size, jnp.int32), np.zeros(slots, bool))


def step_frame(
    vos: Vos,
    params: Any,
    state: Any,
    features: Any,
    prompt: Prompt,
    clock: MemoryClock,
    *,
    spec: Spec,
    allowed: Array | None = None,
    annotated: Scalar | None = None,
) -> StepOutput:
    """Does the step of a frame, with a prompt at the user's size and results at the network's.

        output = step_frame(vos, params, state, features, prompt, clock, spec=spec)
        labels, object_stats = labels_at(output.predicted, prompt, ids, size)

    Args:
        vos, params, state, features, prompt, clock, spec, allowed, annotated: as for
            `follow_frame`.
    """
    marked = jnp.any(prompt.given) if annotated is None else annotated
    small = prompt_to_network(prompt, spec, marked)
    return advance(vos, params, state, features, small, clock, allowed=allowed, annotated=annotated)


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
    """Does the step of a frame, with a prompt and probabilities at the user's size.

        state, probs = follow_frame(
            vos, params, state, features, prompt, clock, spec=spec, size=(1080, 1920)
        )

    Args:
        vos: the network.
        params: its weights.
        state: its state.
        features: the encoded frame, see `to_network`.
        prompt: what the user marked, at the user's size.
        clock: decides whether the frame is remembered.
        spec: the Spec of the state.
        size: (H, W) of the user's frames.
        allowed: as for `advance`.
        annotated: as for `advance`.
    """
    output = step_frame(
        vos,
        params,
        state,
        features,
        prompt,
        clock,
        spec=spec,
        allowed=allowed,
        annotated=annotated,
    )
    return FollowedFrame(output.state, resize_maps(output.predicted, *size))


@functools.lru_cache(maxsize=64)
def frame_program(
    vos: Vos, spec: Spec, size: tuple[int, int], stage: FrameStage | None = None
) -> FrameProgram:
    """Compiles the frame of a network at a Spec, for frames of the user's size.

        program = frame_program(vos, spec, (480, 854))
        state, labels, object_stats, _ = program.run(params, state, frame, prompt, ids, clock)

    `run` takes a frame uint8 [H, W, 3], a prompt at the user's size and ids uint8 [N+1]; it donates
    the state. Slots without an id get no pixels, and given objects are returned exactly as marked.

    Args:
        vos: the network.
        spec: the Spec of its state.
        size: (H, W) of the user's frames.
        stage: refines the probabilities before labels are made of them; `run` takes its weights as
            one more argument, and returns its counts. Without a stage, counts are {}.
    """
    traces = [0]

    def stepped(
        params: Any,
        state: Any,
        frame: jax.Array,
        prompt: Prompt,
        ids: jax.Array,
        clock: MemoryClock,
    ) -> StepOutput:
        traces[0] += 1
        small = to_network(frame, spec)
        with jax.named_scope("encode"):
            features = vos.encode(params, small, None)
        return step_frame(
            vos, params, state, features, prompt, clock, spec=spec, allowed=ids[1:] > 0
        )

    def follow(*arguments: Any) -> tuple[Any, jax.Array]:
        output, prompt = stepped(*arguments), arguments[3]
        return output.state, apply_prompt(resize_maps(output.predicted, *size), prompt)

    def whole(*arguments: Any) -> tuple[Any, jax.Array, jax.Array, dict[str, jax.Array]]:
        output, prompt, ids = stepped(*arguments), arguments[3], arguments[4]
        return output.state, *labels_at(output.predicted, prompt, ids, size), {}

    if stage is None:
        compiled = jax.jit(whole, donate_argnums=1)
        return FrameProgram(compiled, compiled, traces)
    network, labelled = jax.jit(follow, donate_argnums=1), jax.jit(to_labels)
    refine = refine_program(stage)

    def run(
        params: Any,
        state: Any,
        frame: HostArray,
        prompt: Prompt,
        ids: HostArray,
        clock: MemoryClock,
        stage_params: Any,
    ) -> tuple[Any, jax.Array, jax.Array, dict[str, jax.Array]]:
        state, probs = network(params, state, frame, prompt, ids, clock)
        probs, counts = refine(stage_params, frame, probs, prompt.given)
        return state, *labelled(probs, ids), counts

    return FrameProgram(run, network, traces)
