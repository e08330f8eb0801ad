"""The losses of training for one frame of one clip: bootstrapped cross-entropy and soft Jaccard.

The classes are the background and the live slots. Pixels labelled 255 or with a slot that is not
live are ignored. The AOT reference uses both losses with equal weights, STCN the cross-entropy
alone.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.types import UNUSED_LOGIT

IGNORED = 255


class FrameLoss(NamedTuple):
    """The loss of one frame, and its two parts; scalars."""

    total: jax.Array
    cross_entropy: jax.Array
    jaccard: jax.Array


def targets(labels: jax.Array, live: jax.Array) -> jax.Array:
    """Returns the true mask of each class; all are False at ignored pixels.

    truth = targets(labels, live)      # [H, W], [N] bool -> [N+1, H, W] bool
    """
    classes = jnp.concatenate([jnp.ones(1, bool), live])
    slots = jnp.arange(classes.size, dtype=jnp.int32)[:, None, None]
    return (labels.astype(jnp.int32)[None] == slots) & classes[:, None, None]


def _log_probabilities(logits: jax.Array, live: jax.Array) -> jax.Array:
    classes = jnp.concatenate([jnp.ones(1, bool), live])[:, None, None]
    return jax.nn.log_softmax(jnp.where(classes, logits, UNUSED_LOGIT), axis=0)


def mean_of_largest(values: jax.Array, count: jax.Array | np.int32) -> jax.Array:
    """Returns the mean of the `count` largest values.

        loss = mean_of_largest(pixels, count)

    The count-th largest value is found exactly by bisection over the bits of a float, which takes
    31 counts instead of a sort. Values equal to it share its gradient.

    Args:
        values: float32 of any shape, not negative.
        count: int32 scalar, traced or not, at least 1.
    """
    fixed = jax.lax.stop_gradient(values)
    bits = jax.lax.bitcast_convert_type(jnp.abs(fixed), jnp.int32)

    def narrow(bit: Any, bound: Any) -> Any:
        trial = bound | jnp.left_shift(jnp.int32(1), 30 - bit)
        return jnp.where(jnp.sum(bits >= trial) >= count, trial, bound)

    bound = jax.lax.bitcast_convert_type(
        jax.lax.fori_loop(0, 31, narrow, jnp.int32(0)), jnp.float32
    )
    above, ties = fixed > bound, fixed == bound
    share = (count - jnp.sum(above)) / jnp.maximum(jnp.sum(ties), 1)
    return jnp.sum(values * (above + ties * share)) / count


def bootstrapped_cross_entropy(
    logits: jax.Array, labels: jax.Array, live: jax.Array, count: jax.Array | np.int32
) -> jax.Array:
    """Returns the mean cross-entropy of the `count` hardest pixels; ignored pixels have loss 0.

        loss = bootstrapped_cross_entropy(logits, labels, live, count)

    Args:
        logits: [N+1, H, W] float32, channel 0 is the background.
        labels: [H, W] integers: slots 1..N, 0 background, 255 ignored.
        live: [N] bool, the slots that hold an object of this clip.
        count: int32 scalar in 1..H*W, traced or not, see `schedule.kept`.
    """
    log_p = _log_probabilities(logits, live)
    pixels = -jnp.sum(jnp.where(targets(labels, live), log_p, 0.0), axis=0)
    return mean_of_largest(pixels, count)


def soft_jaccard(logits: jax.Array, labels: jax.Array, live: jax.Array) -> jax.Array:
    """Returns 1 - I / (union + 1e-6) of the probabilities, averaged over the classes in the labels.

        loss = soft_jaccard(logits, labels, live)

    Arguments are as for `bootstrapped_cross_entropy`. The background is one of the classes. If all
    pixels are ignored, the loss is 0.
    """
    truth = targets(labels, live)
    p = jnp.exp(_log_probabilities(logits, live)) * jnp.any(truth, axis=0)
    inter = jnp.sum(jnp.where(truth, p, 0.0), axis=(1, 2))
    area = jnp.sum(truth, axis=(1, 2))
    union = jnp.sum(p, axis=(1, 2)) + area - inter
    present = area > 0
    loss = jnp.where(present, 1 - inter / (union + 1e-6), 0.0)
    return jnp.sum(loss) / jnp.maximum(jnp.sum(present), 1)


def frame_loss(
    logits: jax.Array,
    labels: jax.Array,
    live: jax.Array,
    count: jax.Array | np.int32,
    *,
    jaccard_weight: float = 0.5,
) -> FrameLoss:
    """Returns (1 - w) * cross-entropy + w * soft Jaccard, and both parts.

        total, cross_entropy, jaccard = frame_loss(logits, labels, live, count)

    Arguments are as for `bootstrapped_cross_entropy`, with the weight w = `jaccard_weight`: 0.5 for
    AOT and 0 for STCN.
    """
    ce = bootstrapped_cross_entropy(logits, labels, live, count)
    jaccard = soft_jaccard(logits, labels, live)
    return FrameLoss((1 - jaccard_weight) * ce + jaccard_weight * jaccard, ce, jaccard)


def object_jaccard(prediction: jax.Array, labels: jax.Array, live: jax.Array) -> jax.Array:
    """Returns the region similarity J of every slot; 1 for slots in neither of the label maps.

    j = object_jaccard(prediction, labels, live)      # [H, W], [H, W], [N] -> [N]
    """
    valid = labels != IGNORED
    truth = targets(labels, live)[1:]
    predicted = targets(prediction, live)[1:] & valid
    inter = jnp.sum(truth & predicted, axis=(1, 2))
    union = jnp.sum(truth | predicted, axis=(1, 2))
    return jnp.where(union > 0, inter / jnp.maximum(union, 1), 1.0)
