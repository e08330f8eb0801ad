"""Mean J over whole clips on own predictions, with the protocol and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.train import losses
from vosjax.types import Model, Spec, When


def clip_jaccard(
    model: Model,
    params: dict,
    frames: jax.Array,
    labels: jax.Array,
    live: jax.Array,
    *,
    gap: int,
    memory: int,
) -> jax.Array:
    """[N] J of every slot, averaged over the frames after the first; 0 where a slot is not live.

    Args:
      model: the network.
      params: its weights.
      frames: [T, H, W, 3] uint8.
      labels: [T, H, W] uint8; only frame 0's are shown to the network.
      live: [N] bool.
      gap: every gap-th frame enters the long-term memory.
      memory: its capacity in frames.
    """
    vos = model.vos
    length, height, width = labels.shape
    slots = live.shape[0]
    channels = jnp.arange(slots + 1)[:, None, None]

    # All at once and outside of the scan: what is inside of one runs on one thread of a CPU.
    features = jax.vmap(lambda frame: vos.encode(params, frame.astype(jnp.float32) / 255))(frames)
    reference, later = (jax.tree.map(lambda x: x[part], features) for part in (0, slice(1, None)))

    def one_hot(labels):
        return (labels[None] == channels).astype(jnp.float32)

    state = vos.init(params, Spec(height, width, slots, memory))
    _, aux = vos.predict(params, state, reference)
    first = When(np.True_, np.True_, np.int32(0))
    state = vos.commit(params, state, aux, one_hot(labels[0]), live, first)

    def frame(state, given):
        seen, truth, time = given
        logits, aux = vos.predict(params, state, seen)
        mine = jnp.argmax(logits, axis=0).astype(labels.dtype)
        when = When(np.False_, time % gap == 0, time)
        state = vos.commit(
            params, state, aux, jax.nn.softmax(logits, axis=0), jnp.zeros_like(live), when
        )
        return state, losses.object_jaccard(mine, truth, live)

    times = jnp.arange(1, length, dtype=jnp.int32)
    _, scores = jax.lax.scan(frame, state, (later, labels[1:], times))
    return jnp.mean(scores, axis=0) * live


def compiled(model: Model, *, gap: int):
    """A jitted (params, frames, labels, live) -> [N] scores; the memory holds every gap-th frame."""

    @jax.jit
    def run(params, frames, labels, live):
        memory = 1 + max(frames.shape[0] - 2, 0) // gap
        return clip_jaccard(model, params, frames, labels, live, gap=gap, memory=memory)

    return run


def mean_j(run, params: dict, clips: list[dict]) -> float:
    """Mean J over all objects of `clips` (dicts of frames, labels, live; one shape: one compile)."""
    scores = []
    for clip in clips:
        each = np.asarray(run(params, clip["frames"], clip["labels"], clip["live"]))
        scores += list(each[clip["live"]])
    return float(np.mean(scores))
