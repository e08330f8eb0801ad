"""Lays what the user marked in a frame over the network's probabilities, and recovers it."""

import jax
import jax.numpy as jnp

from vosjax.types import Prompt

NOTHING = 1e-6  # a smaller remaining probability of a pixel counts as zero


def apply_prompt(probs: jax.Array, prompt: Prompt) -> jax.Array:
    """Sets the probabilities of the given objects to exactly what the user marked.

        probs = apply_prompt(jax.nn.softmax(logits, 0), Prompt(labels, given))

    Marked pixels belong to their object alone, and given objects have no other pixels. What remains
    in the other pixels is renormalised; they become background if nothing remains. Without given
    objects, the probabilities are returned bit by bit.

    Args:
        probs: [N+1, H, W], channel 0 is the background; sums to one.
        prompt: labels and given slots, of the same size.

    Returns:
        [N+1, H, W], sums to one.
    """

    def with_marks() -> jax.Array:
        slots = jnp.arange(1, probs.shape[0])[:, None, None]
        unmarked = prompt.labels == 0
        objects = jnp.where(
            prompt.given[:, None, None],
            (prompt.labels == slots).astype(probs.dtype),
            probs[1:] * unmarked,
        )
        marked = jnp.concatenate([probs[:1] * unmarked, objects])
        total = marked.sum(0)
        empty = total < NOTHING
        marked = marked / jnp.where(empty, 1, total)
        return marked.at[0].set(jnp.where(empty, 1, marked[0]))

    def in_a_branch() -> jax.Array:
        result: jax.Array = jax.lax.cond(jnp.any(prompt.given), with_marks, lambda: probs)
        return result

    # Probabilities are copied into and out of a branch; a selection is fused with what made them.
    def selected() -> jax.Array:
        return jnp.where(jnp.any(prompt.given), with_marks(), probs)

    result: jax.Array = jax.lax.platform_dependent(tpu=selected, default=in_a_branch)
    return result


def prompt_from_probs(probs: jax.Array, given: jax.Array) -> Prompt:
    """Recovers the prompt that was laid over probabilities.

        prompt = prompt_from_probs(probs, given)

    An ensemble lays it over the probabilities of its members.

    Args:
        probs: [N+1, H, W], the result of `apply_prompt`.
        given: [N] bool, the slots that were given.
    """
    marked = (probs[1:] > 0.5) & given[:, None, None]
    labels = jnp.where(marked.any(0), marked.argmax(0) + 1, 0)
    return Prompt(labels.astype(jnp.int32), given)
