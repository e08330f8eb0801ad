"""What the user marked in a frame, laid over what the network predicted there."""

import jax
import jax.numpy as jnp

from vosjax.types import Prompt

NOTHING = 1e-6  # less probability than this, of all objects together, counts as none left


def apply_prompt(probs: jax.Array, prompt: Prompt) -> jax.Array:
    """Probabilities in which the given objects stand exactly as the user gave them.

        probs = apply_prompt(jax.nn.softmax(logits, 0), Prompt(labels, given))

    Marked pixels belong to their object alone, given objects have no other pixel, and what is
    left of the rest is renormalised (background where nothing is left). A frame without given
    objects passes through bit by bit.

    Args:
      probs: [N+1, H, W], channel 0 is the background, sums to one.
      prompt: of the same size.

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

    result: jax.Array = jax.lax.cond(jnp.any(prompt.given), with_marks, lambda: probs)
    return result


def prompt_from_probs(probs: jax.Array, given: jax.Array) -> Prompt:
    """The prompt that was laid over probabilities.

        prompt = prompt_from_probs(probs, given)

    A fused ensemble hands it to its members, which have masks of their own.

    Args:
      probs: [N+1, H, W], of `apply_prompt`.
      given: [N] bool, the slots that were given.
    """
    marked = (probs[1:] > 0.5) & given[:, None, None]
    labels = jnp.where(marked.any(0), marked.argmax(0) + 1, 0)
    return Prompt(labels.astype(jnp.int32), given)
