"""One frame's way through a network, in one place: encode, predict, lay the prompt, commit.

`step` and `advance` are pure and work under jit, vmap and scan. Validation scans over `advance`;
the tracker and the evaluation's engine run it inside of `frame`, which owns the way to and from
the user's resolution. Training alone calls the network's functions itself (`train.step.clip_loss`
says why), with the same `remembers`.
"""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.prompt import apply_prompt
from vosjax.types import UNUSED_LOGIT, Array, Prompt, Scalar, Vos, When


class MemoryClock(NamedTuple):
    """When frames are remembered. int32 scalars, traced, so that no interval is compiled anew.

    time       index of the frame to come
    last       index of the frame that was last remembered
    mem_every  frames from one remembered frame to the next
    """

    time: Scalar
    last: Scalar
    mem_every: Scalar


class StepOutput(NamedTuple):
    """What a step gives.

    state      the network's, after the frame
    clock      of the next frame
    probs      [N+1, H, W] float32 with the prompt laid over them, as they were remembered
    predicted  [N+1, H, W] float32 before that
    """

    state: Any
    clock: MemoryClock
    probs: jax.Array
    predicted: jax.Array


def remembers(annotated: Any, time: Any, last: Any, mem_every: Any) -> Any:
    """Whether a frame goes into the memory.

        remembers(False, time=10, last=5, mem_every=5)      # True

    Every annotated frame does, and restarts the count (the rule of aot-benchmark).

    Args:
      annotated: whether an object is given in the frame; a bool, plain or traced.
      time: index of the frame.
      last: index of the frame that was last remembered.
      mem_every: frames from one remembered frame to the next.
    """
    return annotated | (time - last >= mem_every)


def remembered_frames(length: int, annotated: Iterable[int], mem_every: int) -> int:
    """How many frames of a video go into the memory, that is for how many `remembers` holds.

        remembered_frames(10, [0, 6], mem_every=4)      # 3: frames 0, 4 and 6

    Args:
      length: the frames that are committed; frames before the first annotated one do not count.
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
    """Takes a frame through a network.

        state = vos.init(params, spec)
        clock = MemoryClock(time=jnp.int32(0), last=jnp.int32(0), mem_every=jnp.int32(5))
        output = jax.jit(step, static_argnums=0)(vos, params, state, frame, prompt, clock)
        labels = output.probs.argmax(0)      # and on with output.state, output.clock

    Args:
      vos: the network.
      params: its weights.
      state: its state.
      frame: [H, W, 3] float32 RGB in 0..1, of the size of the state's Spec.
      prompt: what the user marked in it; nothing where `given` is all False.
      clock: when frames are remembered.
      allowed: [N] bool, slots that may win pixels; None allows all.
      rng: a key while training.
    """
    keys = (None, None) if rng is None else jax.random.split(rng)
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
    """`step` for a frame that has been encoded before, for example in a batch with others.

        features = jax.vmap(lambda frame: vos.encode(params, frame))(frames)
        first = jax.tree.map(lambda leaf: leaf[0], features)
        output = advance(vos, params, state, first, prompt, clock)

    Args:
      vos: the network.
      params: its weights.
      state: its state.
      features: of `vos.encode`.
      prompt: as for `step`.
      clock: likewise.
      allowed: likewise.
      annotated: whether any object is given, where that is known for all videos of a `vmap` (so
        that branches on it stay branches); None looks it up in the prompt.
      rng: a key while training.
    """
    keys = (None, None) if rng is None else jax.random.split(rng)
    logits, aux = vos.predict(params, state, features, keys[0])
    if allowed is not None:
        shown = jnp.concatenate([jnp.ones(1, bool), allowed])
        logits = jnp.where(shown[:, None, None], logits, UNUSED_LOGIT)
    predicted = jax.nn.softmax(logits, 0)
    probs = apply_prompt(predicted, prompt)
    marked = jnp.any(prompt.given) if annotated is None else annotated
    remember = remembers(marked, clock.time, clock.last, clock.mem_every)
    when = When(marked, remember, clock.time)
    state = vos.commit(params, state, aux, probs, prompt.given, when, keys[1])
    last = jnp.where(remember, clock.time, clock.last)
    after = MemoryClock(jnp.asarray(clock.time + 1), last, clock.mem_every)
    return StepOutput(state, after, probs, predicted)
