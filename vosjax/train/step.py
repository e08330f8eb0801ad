"""One training step through the protocol: a clip's loss, its gradient, and the update.

The frames of all clips are encoded in one batched call. Frame 0 is committed with its truth; each
later frame is predicted, its loss taken, and it is committed with the truth, with the network's
own hard labels (no gradient; AOT's second phase) or with its soft probabilities (gradient; STCN).
"""

import functools
import math
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.schema import NEVER
from vosjax.train import ema, losses, optimizer, state
from vosjax.train.schedule import StepScalars
from vosjax.types import Model, Spec, When


class Clips(NamedTuple):
    """A batch as the pipeline makes it.

    frames  [B, T, H, W, 3] uint8 RGB
    labels  [B, T, H, W] uint8, slot 1..N, 0 background, 255 ignored
    live    [B, N] bool, the slots that hold an object of frame 0
    """

    frames: jax.Array
    labels: jax.Array
    live: jax.Array


class Metrics(NamedTuple):
    """What a step tells. Scalars but for `prediction` [B, T, H, W] uint8 (frame 0: the truth)."""

    loss: jax.Array
    cross_entropy: jax.Array
    jaccard: jax.Array
    aux: jax.Array
    j: jax.Array
    gradient: jax.Array
    prediction: jax.Array


class StepConfig(NamedTuple):
    """What is fixed when the step is compiled; the fields of a config's `train` of the same names.

    loss_stride takes the loss on every n-th pixel of a row and column: on CPUs the full-resolution
    loss over 11 channels costs as much as a decoder. `reference` False leaves the reference frame's
    loss out, for the steps in which it weighs nothing (two compilations, as XLA's CPU backend runs
    what is inside of a conditional on one thread).
    """

    mem_every: int = NEVER
    feedback: str = "hard"
    loss_stride: int = 1
    jaccard_weight: float = 0.5
    remat: bool = False
    held: str = ""
    reference: bool = True


def capacity(frames: int, gap: int) -> int:
    """Memory frames that a training clip needs: frame 0 and every gap-th of those committed."""
    return 1 + max(frames - 2, 0) // gap


def pixels(clips: Clips, stride: int) -> int:
    """Pixels of one frame as the loss sees it."""
    return math.prod(-(-side // stride) for side in clips.labels.shape[2:])


def _one_hot(labels: jax.Array, channels: int) -> jax.Array:
    """[..., H, W] -> [..., channels, H, W] float32; nothing is set where a pixel is ignored."""
    slots = jnp.arange(channels, dtype=jnp.int32)[:, None, None]
    return (labels.astype(jnp.int32)[..., None, :, :] == slots).astype(jnp.float32)


def clip_loss(
    model: Model,
    params: dict,
    clips: Clips,
    knobs: StepScalars,
    settings: StepConfig,
    rng: jax.Array | None = None,
) -> tuple[jax.Array, dict[str, Any]]:
    """aux_weight * loss of frame 0 + mean loss of the later frames, over a batch of clips.

    Returns:
      the loss, and a dict of `frames` [T, B] (totals; frame 0 is the auxiliary one, 0 when its
      weight is 0), `cross_entropy` and `jaccard` (means over later frames) and `prediction`
      [B, T, H, W] uint8.
    """
    vos, stride = model.vos, settings.loss_stride
    batch, length, height, width = clips.labels.shape
    slots = clips.live.shape[1]
    spec = Spec(height, width, slots, capacity(length, settings.mem_every))
    keys = jax.random.split(rng, (batch, length, 3)) if rng is not None else None

    def key(t, use):
        return None if keys is None else keys[:, t, use]

    def over_samples(fun, *args, rng=None):
        if rng is None:
            return jax.vmap(fun)(*args)
        return jax.vmap(lambda k, *a: fun(*a, rng=k))(rng, *args)

    flat = clips.frames.reshape(-1, *clips.frames.shape[2:]).astype(jnp.float32) / 255
    flat_keys = None if keys is None else keys[:, :, 0].reshape(batch * length, *keys.shape[3:])
    features = over_samples(functools.partial(vos.encode, params), flat, rng=flat_keys)
    features = jax.tree.map(lambda x: x.reshape(batch, length, *x.shape[1:]), features)
    features = [jax.tree.map(lambda x, t=t: x[:, t], features) for t in range(length)]

    def predict(t, memory):
        return over_samples(
            functools.partial(vos.predict, params), memory, features[t], rng=key(t, 1)
        )

    def commit(t, memory, aux, probs, *, annotated, remember):
        when = When(np.bool_(annotated), np.bool_(remember), np.int32(t))

        def one(memory, aux, probs, given, rng=None):
            return vos.commit(params, memory, aux, probs, given, when, rng)

        given = clips.live if annotated else jnp.zeros_like(clips.live)
        return over_samples(one, memory, aux, probs, given, rng=key(t, 2))

    def depths_of(t, logits, aux):
        if model.deep_logits is None:
            return (logits,)
        return over_samples(functools.partial(model.deep_logits, params), aux, rng=key(t, 1))

    def loss_of(t, memory):
        logits, aux = predict(t, memory)
        supervised = depths_of(t, logits, aux)
        labels = clips.labels[:, t, ::stride, ::stride]
        one = functools.partial(losses.frame_loss, jaccard_weight=settings.jaccard_weight)
        each = [
            jax.vmap(one, (0, 0, 0, None))(
                x[:, :, ::stride, ::stride], labels, clips.live, knobs.count
            )
            for x in supervised
        ]
        weights = [2.0**i for i in range(len(each))]
        total = jax.tree.map(
            lambda *xs: sum(w * x for w, x in zip(weights, xs)) / sum(weights), *each
        )
        return logits, aux, total

    if settings.remat:
        loss_of = jax.checkpoint(loss_of, static_argnums=0)

    memory = jax.vmap(lambda _: vos.init(params, spec))(clips.live)
    _, aux = predict(0, memory)
    memory = commit(
        0, memory, aux, _one_hot(clips.labels[:, 0], slots + 1), annotated=True, remember=True
    )
    reference = loss_of(0, memory)[2].total if settings.reference else jnp.zeros(batch)

    later, shown = [], [clips.labels[:, 0]]
    for t in range(1, length):
        logits, aux, loss = loss_of(t, memory)
        own = jnp.argmax(jax.lax.stop_gradient(logits), axis=1).astype(jnp.uint8)
        later.append(loss)
        shown.append(own)
        if t == length - 1:
            break
        if settings.feedback == "soft":
            fed = jnp.where(
                knobs.own, jax.nn.softmax(logits, axis=1), _one_hot(clips.labels[:, t], slots + 1)
            )
        else:
            fed = _one_hot(jnp.where(knobs.own, own, clips.labels[:, t]), slots + 1)
        memory = commit(t, memory, aux, fed, annotated=False, remember=t % settings.mem_every == 0)

    means = jax.tree.map(lambda *xs: jnp.mean(jnp.stack(xs)), *later)
    total = knobs.aux_weight * jnp.mean(reference) + means.total
    return total, dict(
        frames=jnp.stack([reference] + [x.total for x in later]),
        cross_entropy=means.cross_entropy,
        jaccard=means.jaccard,
        prediction=jnp.stack(shown, axis=1),
    )


def _mean_j(prediction: jax.Array, clips: Clips, stride: int) -> jax.Array:
    """Mean J over live slots and later frames of all clips."""

    def frame(prediction, labels, live):
        return losses.object_jaccard(
            prediction[::stride, ::stride], labels[::stride, ::stride], live
        )

    per_frame = jax.vmap(jax.vmap(frame, (0, 0, None)))(
        prediction[:, 1:], clips.labels[:, 1:], clips.live
    )
    weight = jnp.broadcast_to(clips.live[:, None], per_frame.shape)
    return jnp.sum(per_frame * weight) / jnp.maximum(jnp.sum(weight), 1)


def held_paths(paths, pattern: str) -> tuple[str, ...]:
    """The weights that stand still while own predictions are fed back: AOT's identity bank."""
    return tuple(p for p in paths if pattern and re.search(pattern, p))


def train_step(
    model: Model,
    chain,
    settings: StepConfig,
    before: state.TrainState,
    clips: Clips,
    knobs: StepScalars,
    rng: jax.Array,
) -> tuple[state.TrainState, Metrics]:
    """One update. Pure; jit it with `before` donated (`loop.compile_step`).

    `rng` is the run's key: the step's own is folded in here, so a resumed run draws the same.
    """
    groups = {path: model.param_group(path) for path in before.trainable}
    held = {path: knobs.own for path in held_paths(before.trainable, settings.held)}
    key = jax.random.fold_in(rng, before.step)

    def loss(trainable):
        params = state.join(trainable, before.frozen)
        return clip_loss(model, params, clips, knobs, settings, key)

    (total, parts), grads = jax.value_and_grad(loss, has_aux=True)(before.trainable)
    grads |= {path: jnp.where(hold, 0.0, grads[path]) for path, hold in held.items()}
    updates, moments = chain.update(grads, before.moments, before.trainable)
    trainable = optimizer.apply(
        before.trainable,
        updates,
        groups,
        rate=knobs.rate,
        encoder_rate=knobs.encoder_rate,
        held=held,
    )
    after = state.TrainState(
        before.step + 1,
        trainable,
        before.frozen,
        ema.update(before.average, trainable, knobs.ema_decay),
        moments,
    )
    return after, Metrics(
        total,
        parts["cross_entropy"],
        parts["jaccard"],
        jnp.mean(parts["frames"][0]),
        _mean_j(parts["prediction"], clips, settings.loss_stride),
        jnp.sqrt(sum(jnp.vdot(g, g) for g in grads.values())),
        parts["prediction"],
    )
