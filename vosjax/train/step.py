"""One training step: the loss of a batch of clips, its gradient, and the update of the weights.

The frames of all clips are encoded in one batched call. Frame 0 is committed with the truth. Each
later frame is predicted, its loss computed, and it is committed with the truth, with the network's
own hard labels (without gradient; AOT's second phase), or with its soft probabilities (with
gradient; STCN).

The frames of a clip are processed in a plain loop over the network's functions instead of a scan
over `tracking.step`, for three reasons: the truth or a prediction is committed, and never a prompt
laid over a prediction; the last frame is not committed at all; and it is known while tracing which
frames are annotated and which are remembered, so that no branch is left. XLA's CPU backend runs
branches and scans on one thread, including their derivatives.
"""

import functools
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from vosjax.layers.precision import cast
from vosjax.schema import NEVER
from vosjax.tracking.step import remembered_frames, remembers
from vosjax.train import accumulate, ema, losses, optimizer, state
from vosjax.train.schedule import StepScalars
from vosjax.types import Model, Spec, When


class Clips(NamedTuple):
    """A batch of B clips of T frames, as the pipeline makes it.

    frames  [B, T, H, W, 3] uint8 RGB
    labels  [B, T, H, W] uint8: slots 1..N, 0 background, 255 ignored
    live    [B, N] bool, the slots that hold an object of frame 0
    """

    frames: jax.Array
    labels: jax.Array
    live: jax.Array


class Metrics(NamedTuple):
    """The metrics of a step.

    loss           the loss that is minimised
    cross_entropy  mean cross-entropy of the later frames
    jaccard        mean soft Jaccard loss of the later frames
    aux            mean loss of the reference frames
    j              mean J of the live slots in the later frames, 0..1
    gradient       global norm of the gradient
    prediction     [B, T, H, W] uint8, the truth in frame 0; None when it is no longer needed
    """

    loss: jax.Array
    cross_entropy: jax.Array
    jaccard: jax.Array
    aux: jax.Array
    j: jax.Array
    gradient: jax.Array
    prediction: Any


class StepConfig(NamedTuple):
    """Settings that are fixed when the step is compiled; see `TrainConfig`'s fields of these names.

    mem_every       frames from one remembered frame to the next
    feedback        what is remembered of a prediction: its 'hard' labels or 'soft' probabilities
    loss_stride     the loss is computed on every n-th pixel of rows and columns; on CPUs the
                    full-resolution loss over 11 channels costs as much as a decoder
    jaccard_weight  weight of the soft Jaccard loss
    remat           whether frames are recomputed in the backward pass instead of being kept
    dtype           dtype in which the network computes; weights, statistics of norms, losses,
                    gradients and the optimizer's state are float32
    accumulate      parts of a batch that are computed one after the other
    held            regular expression of the weights that stay fixed while own predictions are
                    remembered
    reference       whether the loss of the reference frame is computed; False for the steps in
                    which its weight is 0 (compiled separately, since XLA's CPU backend runs
                    conditionals on one thread)
    """

    mem_every: int = NEVER
    feedback: str = "hard"
    loss_stride: int = 1
    jaccard_weight: float = 0.5
    remat: bool = False
    dtype: str = "float32"
    accumulate: int = 1
    held: str = ""
    reference: bool = True


def pixels(clips: Clips, stride: int) -> int:
    """Returns the number of pixels of a frame on which the loss is computed.

    pixels(clips, stride=2)
    """
    return math.prod(-(-side // stride) for side in clips.labels.shape[2:])


def sample_keys(rng: jax.Array, clips: Clips) -> jax.Array:
    """Returns the keys [B, T, 3] for stochastic depth, of every sample, frame and use.

    keys = sample_keys(jax.random.key(0), clips)
    """
    return jax.random.split(rng, (*clips.labels.shape[:2], 3))


def _one_hot(labels: jax.Array, channels: int) -> jax.Array:
    """Maps labels [..., H, W] to float32 [..., channels, H, W]; all zeros at ignored pixels."""
    slots = jnp.arange(channels, dtype=jnp.int32)[:, None, None]
    return (labels.astype(jnp.int32)[..., None, :, :] == slots).astype(jnp.float32)


def clip_loss(
    model: Model,
    params: dict,
    clips: Clips,
    scalars: StepScalars,
    settings: StepConfig,
    rng: jax.Array | None = None,
) -> tuple[jax.Array, dict[str, Any]]:
    """Computes the loss of a batch: aux_weight * loss of frame 0 + mean loss of the later frames.

        loss, parts = clip_loss(model, params, clips, scalars, StepConfig())

    Args:
        model: the network.
        params: its weights, nested float32.
        clips: the batch.
        scalars: the scalars of the step.
        settings: the settings of the training.
        rng: key for stochastic depth, or keys [B, T, 3] of `sample_keys`, or None.

    Returns:
        The loss, and a dict of `frames` [T, B] (losses of all frames; that of frame 0 is 0 without
        `settings.reference`), `cross_entropy` and `jaccard` (means over the later frames) and
        `prediction` [B, T, H, W] uint8.
    """
    vos, stride = model.vos, settings.loss_stride
    batch, length, height, width = clips.labels.shape
    slots = clips.live.shape[1]
    committed = max(length - 1, 1)
    if settings.dtype != "float32":
        params = cast(params, settings.dtype)
    spec = Spec(height, width, slots, remembered_frames(committed, (0,), settings.mem_every))
    keys = rng if rng is None or rng.ndim >= 3 else sample_keys(rng, clips)

    def key(t: int, use: int) -> jax.Array | None:
        return None if keys is None else keys[:, t, use]

    def over_samples(fun: Callable[..., Any], *args: Any, rng: jax.Array | None = None) -> Any:
        if rng is None:
            return jax.vmap(fun)(*args)
        return jax.vmap(lambda k, *a: fun(*a, rng=k))(rng, *args)

    flat = clips.frames.reshape(-1, *clips.frames.shape[2:]).astype(jnp.float32) / 255
    flat_keys = None if keys is None else keys[:, :, 0].reshape(batch * length, *keys.shape[3:])
    features = over_samples(functools.partial(vos.encode, params), flat, rng=flat_keys)
    features = jax.tree.map(lambda x: x.reshape(batch, length, *x.shape[1:]), features)
    features = [jax.tree.map(lambda x, t=t: x[:, t], features) for t in range(length)]

    def predict(t: int, memory: Any) -> Any:
        return over_samples(
            functools.partial(vos.predict, params), memory, features[t], rng=key(t, 1)
        )

    def commit(
        t: int, memory: Any, aux: Any, probs: jax.Array, *, annotated: bool, remember: bool
    ) -> Any:
        when = When(np.bool_(annotated), np.bool_(remember), np.int32(t))

        def one(
            memory: Any, aux: Any, probs: jax.Array, given: jax.Array, rng: jax.Array | None = None
        ) -> Any:
            return vos.commit(params, memory, aux, probs, given, when, rng)

        given = clips.live if annotated else jnp.zeros_like(clips.live)
        return over_samples(one, memory, aux, probs, given, rng=key(t, 2))

    def depths_of(t: int, logits: jax.Array, aux: Any) -> Any:
        if model.deep_logits is None:
            return (logits,)
        return over_samples(functools.partial(model.deep_logits, params), aux, rng=key(t, 1))

    def loss_of(t: int, memory: Any) -> Any:
        logits, aux = predict(t, memory)
        supervised = depths_of(t, logits, aux)
        labels = clips.labels[:, t, ::stride, ::stride]
        one = functools.partial(losses.frame_loss, jaccard_weight=settings.jaccard_weight)
        by_depth = [
            jax.vmap(one, (0, 0, 0, None))(
                x[:, :, ::stride, ::stride], labels, clips.live, scalars.count
            )
            for x in supervised
        ]
        weights = [2.0**i for i in range(len(by_depth))]
        total = jax.tree.map(
            lambda *xs: sum(w * x for w, x in zip(weights, xs)) / sum(weights), *by_depth
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

    later, predictions, last = [], [clips.labels[:, 0]], 0
    for t in range(1, length):
        logits, aux, loss = loss_of(t, memory)
        own = jnp.argmax(jax.lax.stop_gradient(logits), axis=1).astype(jnp.uint8)
        later.append(loss)
        predictions.append(own)
        if t == length - 1:
            break
        if settings.feedback == "soft":
            probs = jnp.where(
                scalars.own, jax.nn.softmax(logits, axis=1), _one_hot(clips.labels[:, t], slots + 1)
            )
        else:
            probs = _one_hot(jnp.where(scalars.own, own, clips.labels[:, t]), slots + 1)
        remember = remembers(False, t, last, settings.mem_every)
        memory = commit(t, memory, aux, probs, annotated=False, remember=remember)
        last = t if remember else last

    means = jax.tree.map(lambda *xs: jnp.mean(jnp.stack(xs)), *later)
    total = scalars.aux_weight * jnp.mean(reference) + means.total
    return total, dict(
        frames=jnp.stack([reference] + [x.total for x in later]),
        cross_entropy=means.cross_entropy,
        jaccard=means.jaccard,
        prediction=jnp.stack(predictions, axis=1),
    )


def _mean_j(prediction: jax.Array, clips: Clips, stride: int) -> jax.Array:
    """Returns the mean J over the live slots and the later frames of all clips."""

    def frame(prediction: jax.Array, labels: jax.Array, live: jax.Array) -> jax.Array:
        return losses.object_jaccard(
            prediction[::stride, ::stride], labels[::stride, ::stride], live
        )

    per_frame = jax.vmap(jax.vmap(frame, (0, 0, None)))(
        prediction[:, 1:], clips.labels[:, 1:], clips.live
    )
    weight = jnp.broadcast_to(clips.live[:, None], per_frame.shape)
    return jnp.sum(per_frame * weight) / jnp.maximum(jnp.sum(weight), 1)


def held_paths(paths: Iterable[str], pattern: str) -> tuple[str, ...]:
    """Returns the paths of weights that stay fixed while own predictions are remembered.

        held_paths(trainable, "identity/bank")

    AOT fixes its identity bank in this phase.
    """
    return tuple(p for p in paths if pattern and re.search(pattern, p))


def updated(
    before: state.TrainState,
    grads: dict,
    chain: optax.GradientTransformation,
    scalars: StepScalars,
    *,
    groups: dict,
    held: dict,
) -> state.TrainState:
    """Returns the state after an update of the trainable weights and of their average.

        after = updated(before, grads, chain, scalars, groups=groups, held={})

    Args:
        before: the state before the step.
        grads: {path: gradient} of the trainable weights.
        chain: the optimizer, see `optimizer.build`.
        scalars: the scalars of the step.
        groups: as in `optimizer.apply`.
        held: likewise.
    """
    updates, moments = chain.update(grads, before.moments, before.trainable)
    trainable = optimizer.apply(
        before.trainable,
        updates,
        groups,
        rate=scalars.rate,
        encoder_rate=scalars.encoder_rate,
        held=held,
    )
    return state.TrainState(
        before.step + 1,
        trainable,
        before.frozen,
        ema.update(before.average, trainable, scalars.ema_decay),
        moments,
    )


def train_step(
    model: Model,
    chain: optax.GradientTransformation,
    settings: StepConfig,
    before: state.TrainState,
    clips: Clips,
    scalars: StepScalars,
    rng: jax.Array,
) -> tuple[state.TrainState, Metrics]:
    """Performs one update of the weights; a pure function, compiled by `clip_task.compile_step`.

        after, metrics = train_step(model, chain, StepConfig(), before, clips, scalars, rng)

    Args:
        model: the network.
        chain: its optimizer, see `optimizer.build`.
        settings: the settings of the training.
        before: the state before the step.
        clips: the batch.
        scalars: the scalars of the step.
        rng: the key of the training; the step number is folded into it, so that a resumed run draws
            the same numbers.

    Returns:
        The state after the step, and the step's metrics.
    """
    groups = {path: model.param_group(path) for path in before.trainable}
    held = {path: scalars.own for path in held_paths(before.trainable, settings.held)}
    keys = sample_keys(jax.random.fold_in(rng, before.step), clips)

    def loss(trainable: Any, batch: tuple[Clips, jax.Array]) -> Any:
        params = state.join_params(trainable, before.frozen)
        clips, keys = batch
        return clip_loss(model, params, clips, scalars, settings, keys)

    total, parts, grads = accumulate.value_and_grad(
        loss, before.trainable, (clips, keys), settings.accumulate
    )
    prediction = accumulate.joined(parts["prediction"])
    grads |= {path: jnp.where(hold, 0.0, grads[path]) for path, hold in held.items()}
    after = updated(before, grads, chain, scalars, groups=groups, held=held)
    return after, Metrics(
        total,
        jnp.mean(parts["cross_entropy"]),
        jnp.mean(parts["jaccard"]),
        jnp.mean(parts["frames"][:, 0]),
        _mean_j(prediction, clips, settings.loss_stride),
        optax.tree.norm(grads),
        prediction,
    )
