"""Validation during training: mean J of tracking whole clips, as a scan over `tracking.step`."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.tracking.step import MemoryClock, advance, remembered_frames
from vosjax.train import losses
from vosjax.types import Model, Prompt, Spec


def clip_jaccard(
    model: Model,
    params: dict,
    frames: jax.Array,
    labels: jax.Array,
    live: jax.Array,
    *,
    mem_every: int,
    memory: int,
) -> jax.Array:
    """Tracks a clip and returns J of every slot, averaged over the frames after the first.

        scores = clip_jaccard(model, params, frames, labels, live, mem_every=5, memory=2)

    Args:
        model: the network.
        params: its weights.
        frames: [T, H, W, 3] uint8.
        labels: [T, H, W] uint8 of slots; the network is given only those of frame 0.
        live: [N] bool, the slots that hold an object of frame 0.
        mem_every: frames from one remembered frame to the next.
        memory: capacity of the memory in frames.

    Returns:
        [N] float32 in 0..1; 0 for slots that are not live.
    """
    vos = model.vos
    _, height, width = labels.shape

    # Encoded at once, before the scan, since XLA's CPU backend runs scans on one thread.
    with jax.named_scope("encode"):
        encode = jax.vmap(lambda frame: vos.encode(params, frame.astype(jnp.float32) / 255))
        features = encode(frames)
    reference = jax.tree.map(lambda leaf: leaf[0], features)
    later = jax.tree.map(lambda leaf: leaf[1:], features)

    state = vos.init(params, Spec(height, width, live.shape[0], memory))
    clock = MemoryClock(np.int32(0), np.int32(0), np.int32(mem_every))
    marks = Prompt(labels[0].astype(jnp.int32), live)
    first = advance(
        vos, params, state, reference, marks, clock, allowed=live, annotated=np.bool_(True)
    )
    nothing = Prompt(jnp.zeros_like(marks.labels), jnp.zeros_like(live))

    def frame(carry: tuple[Any, MemoryClock], item: tuple[Any, jax.Array]) -> Any:
        features, truth = item
        output = advance(
            vos, params, carry[0], features, nothing, carry[1], annotated=np.bool_(False)
        )
        own = jnp.argmax(output.predicted, axis=0).astype(labels.dtype)
        return (output.state, output.clock), losses.object_jaccard(own, truth, live)

    _, scores = jax.lax.scan(frame, (first.state, first.clock), (later, labels[1:]))
    return jnp.mean(scores, axis=0) * live


def compiled(model: Model, *, mem_every: int) -> Callable[..., jax.Array]:
    """Returns a jitted function (params, frames, labels, live) -> [N] scores, see `clip_jaccard`.

        run = compiled(model, mem_every=5)
        scores = run(params, clip["frames"], clip["labels"], clip["live"])

    The capacity of the memory is the number of frames that are remembered.
    """

    @jax.jit
    def run(params: Any, frames: jax.Array, labels: jax.Array, live: jax.Array) -> jax.Array:
        committed = max(len(frames) - 1, 1)  # before the last one's prediction
        memory = remembered_frames(committed, (0,), mem_every)
        return clip_jaccard(model, params, frames, labels, live, mem_every=mem_every, memory=memory)

    return run


def mean_j(run: Callable[..., jax.Array], params: dict, clips: Sequence[dict]) -> float:
    """Returns the mean J over all objects of some clips, in 0..1.

        mean_j(compiled(model, mem_every=5), params, clips)

    Args:
        run: the function of `compiled`.
        params: the weights, nested.
        clips: dicts of frames, labels and live; it is compiled once for each shape.
    """
    scores = []
    for clip in clips:
        own = np.asarray(run(params, clip["frames"], clip["labels"], clip["live"]))
        scores += list(own[clip["live"]])
    return float(np.mean(scores))
