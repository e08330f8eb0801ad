"""One frame's way through a network, in one place: encode, predict, lay the prompt, commit.

`step` and `advance` are pure and work under jit, vmap and scan; `Tracker` (tracker.py) is what
keeps their state for a user who has uint8 frames.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.prompt import apply_prompt
from vosjax.types import UNUSED_LOGIT, Prompt, Vos, When


class MemoryClock(NamedTuple):
    """When frames are remembered. int32 scalars, traced: no gap needs a compilation of its own.

    time  index of the frame to come
    last  index of the frame that was last remembered
    gap   frames from one remembered frame to the next
    """

    time: jax.Array
    last: jax.Array
    gap: jax.Array


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


def remembers(annotated, time, last, gap):
    """Whether a frame goes into the memory; plain numbers or traced ones.

    Every annotated frame does, and restarts the count (the rule of aot-benchmark).
    """
    return annotated | (time - last >= gap)


def step(
    vos: Vos,
    params: Any,
    state: Any,
    frame: jax.Array,
    prompt: Prompt,
    clock: MemoryClock,
    *,
    allowed: jax.Array | None = None,
    rng: jax.Array | None = None,
) -> StepOutput:
    """Takes a frame [H, W, 3] float32 in 0..1, of the size of the state's Spec, through a network.

    Args:
      vos: the network.
      params: its weights.
      state: its state.
      frame: the frame.
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
    allowed: jax.Array | None = None,
    annotated: jax.Array | None = None,
    rng: jax.Array | None = None,
) -> StepOutput:
    """`step` for a frame that has been encoded before, for example in a batch with others.

    `annotated` says whether any object is given, where that is known for all videos of a `vmap`
    (so that branches on it stay branches); None looks it up in the prompt.
    """
    keys = (None, None) if rng is None else jax.random.split(rng)
    logits, aux = vos.predict(params, state, features, keys[0])
    if allowed is not None:
        shown = jnp.concatenate([jnp.ones(1, bool), allowed])
        logits = jnp.where(shown[:, None, None], logits, UNUSED_LOGIT)
    predicted = jax.nn.softmax(logits, 0)
    probs = apply_prompt(predicted, prompt)
    annotated = jnp.any(prompt.given) if annotated is None else annotated
    remember = remembers(annotated, clock.time, clock.last, clock.gap)
    when = When(annotated, remember, clock.time)
    state = vos.commit(params, state, aux, probs, prompt.given, when, keys[1])
    after = MemoryClock(clock.time + 1, jnp.where(remember, clock.time, clock.last), clock.gap)
    return StepOutput(state, after, probs, predicted)
