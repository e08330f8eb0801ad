"""From a network's logits to the probabilities of a frame, with and without what was marked."""

import jax
import jax.numpy as jnp

from vosjax.memory.kernels import on_one_tpu
from vosjax.prompt import apply_prompt
from vosjax.tracking.label_bands import LANES, ON_CHIP, ROWS, SUBLANES
from vosjax.types import UNUSED_LOGIT, Array, Prompt


def probabilities(
    logits: jax.Array, prompt: Prompt, allowed: Array | None
) -> tuple[jax.Array, jax.Array]:
    """Computes the softmax of a frame's logits, and lays the prompt over it.

        predicted, probs = probabilities(logits, prompt, allowed=ids[1:] > 0)

    On a TPU both come from one kernel (`probability_kernel`), which reads the logits once, unless
    the maps do not fit on the chip.

    Args:
        logits: [N+1, H, W].
        prompt: what the user marked, of the same size.
        allowed: bool [N], the slots that may have pixels; None allows all.

    Returns:
        float32 [N+1, H, W] without and with the prompt.
    """

    arrays = [logits, jnp.asarray(prompt.labels), jnp.asarray(prompt.given)]
    if allowed is not None:
        arrays.append(jnp.asarray(allowed))
    wide = -(-logits.shape[2] // LANES) * LANES
    fits = 4 * 3 * 3 * len(logits) * ROWS * wide <= ON_CHIP and logits.shape[1] >= SUBLANES
    if not fits or logits.dtype != jnp.float32:
        return _plain(*arrays)
    both: tuple[jax.Array, jax.Array] = on_one_tpu(_kernel, _plain, *arrays)
    return both


def _plain(
    logits: jax.Array, labels: jax.Array, given: jax.Array, *allowed: jax.Array
) -> tuple[jax.Array, jax.Array]:
    for slots in allowed:
        classes = jnp.concatenate([jnp.ones(1, bool), slots])
        logits = jnp.where(classes[:, None, None], logits, UNUSED_LOGIT)
    predicted = jax.nn.softmax(logits, 0)
    return predicted, apply_prompt(predicted, Prompt(labels, given))


@jax.named_scope("probabilities")
def _kernel(
    logits: jax.Array, labels: jax.Array, given: jax.Array, *allowed: jax.Array
) -> tuple[jax.Array, jax.Array]:
    # imports Pallas, which TPUs alone need
    from vosjax.tracking.probability_kernel import probability_kernel

    return probability_kernel(logits, Prompt(labels, given), *allowed)
