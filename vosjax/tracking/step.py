"""The step of all frames, in one place: encode, predict, apply the prompt, commit.

`step` and `advance` are pure functions that work under jit, vmap and scan. Validation scans over
`advance`. The tracker and the engine of the evaluation run it within `frame`, which converts to and
from the user's resolution. Only training calls the network's functions itself
(`train.step.clip_loss` says why), with the same `remembers`.
"""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.tracking.probabilities import probabilities
from vosjax.types import Array, Prompt, Scalar, Vos, When


class MemoryClock(NamedTuple):
    """Decides which frames are remembered; traced int32 scalars, so that changes do not recompile.

    time       index of the next frame
    last       index of the last remembered frame
    mem_every  number of frames from one remembered frame to the next
    """

    time: Scalar
    last: Scalar
    mem_every: Scalar


class StepOutput(NamedTuple):
    """The result of a step.

    state      the network's state after the frame
    clock      the clock for the next frame
    probs      float32 [N+1, H, W], the final probabilities, after the prompt was applied
    predicted  float32 [N+1, H, W], the probabilities before that
    """

    state: Any
    clock: MemoryClock
    probs: jax.Array
    predicted: jax.Array


def remembers(annotated: Any, time: Any, last: Any, mem_every: Any) -> Any:
    """Returns whether a frame is remembered.

        remembers(False, time=10, last=5, mem_every=5)      # True

    Every annotated frame is remembered and restarts the count (the rule of aot-benchmark).

    Args:
        annotated: whether an object is given in the frame; a bool, plain or traced.
        time: index of the frame.
        last: index of the last remembered frame.
        mem_every: number of frames from one remembered frame to the next.
    """
    return annotated | (time - last >= mem_every)


def remembered_frames(length: int, annotated: Iterable[int], mem_every: int) -> int:
    """Returns the number of frames of a video that are remembered, by the rule of `remembers`.

        remembered_frames(10, [0, 6], mem_every=4)      # 3: frames 0, 4 and 6

    Args:
        length: number of frames that are committed; those before the first annotated frame do not
            count.
        annotated: indices of the frames in which objects are given.
        mem_every: frames from one remembered frame to the next.
    """
    starts = sorted({start for start in annotated if start < length})
    return sum(
        1 + (end - 1 - start) // mem_every for start, end in itertools.pairwise([*starts, length])
    )


def step(
    vos: Vos,
    params: Any,
    state: Any,
    frame: jax.Array,
    prompt: Prompt,
    clock: MemoryClock,
    *,
    allowed: Array | None = None,
    rng: jax.Array | None = None,
) -> StepOutput:
    """Takes one frame through a network.

        state = vos.init(params, spec)
        clock = MemoryClock(time=jnp.int32(0), last=jnp.int32(0), mem_every=jnp.int32(5))
        output = jax.jit(step, static_argnums=0)(vos, params, state, frame, prompt, clock)
        labels = output.probs.argmax(0)      # continue with output.state and output.clock

    Args:
        vos: the network.
        params: its weights.
        state: its state.
        frame: float32 [H, W, 3] RGB in 0..1, of the size of the state's Spec.
        prompt: what the user marked in the frame; nothing if `given` is all False.
        clock: decides whether the frame is remembered.
        allowed: bool [N], the slots that may have pixels; None allows all.
        rng: a key during training, else None.

    Returns:
        The state and the clock for the next frame, and the frame's probabilities.
    """
    keys = (None, None) if rng is None else jax.random.split(rng)
    with jax.named_scope("encode"):
        features = vos.encode(params, frame, keys[0])
    return advance(vos, params, state, features, prompt, clock, allowed=allowed, rng=keys[1])


def advance(
    vos: Vos,
    params: Any,
    state: Any,
    features: Any,
    prompt: Prompt,
    clock: MemoryClock,
    *,
    allowed: Array | None = None,
    annotated: Scalar | None = None,
    rng: jax.Array | None = None,
) -> StepOutput:
    """Does `step` for a frame that is already encoded, for example in a batch with others.

        features = jax.vmap(lambda frame: vos.encode(params, frame))(frames)
        first = jax.tree.map(lambda leaf: leaf[0], features)
        output = advance(vos, params, state, first, prompt, clock)

    Args:
        vos: the network.
        params: its weights.
        state: its state.
        features: the result of `vos.encode` for the frame.
        prompt: as for `step`.
        clock: as for `step`.
        allowed: as for `step`.
        annotated: whether any object is given, if that is the same for all videos of a `vmap` (so
            that branches on it remain branches); None takes it from the prompt.
        rng: a key during training, else None.

    Returns:
        The same as `step`.
    """
    keys = (None, None) if rng is None else jax.random.split(rng)
    with jax.named_scope("predict"):
        logits, aux = vos.predict(params, state, features, keys[0])
    with jax.named_scope("prompt"):
        predicted, probs = probabilities(logits, prompt, allowed)
    marked = jnp.any(prompt.given) if annotated is None else annotated
    remember = remembers(marked, clock.time, clock.last, clock.mem_every)
    when = When(marked, remember, clock.time)
    with jax.named_scope("commit"):
        state = vos.commit(params, state, aux, probs, prompt.given, when, keys[1])
    last = jnp.where(remember, clock.time, clock.last)
    after = MemoryClock(jnp.asarray(clock.time + 1), last, clock.mem_every)
    return StepOutput(state, after, probs, predicted)
