"""The softmax of a frame and its prompt as one kernel for TPUs, which reads the logits once."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from vosjax.tracking.label_bands import ROWS
from vosjax.tracking.label_kernel import with_prompt
from vosjax.types import UNUSED_LOGIT, Prompt


def probability_kernel(
    logits: jax.Array,
    prompt: Prompt,
    allowed: jax.Array | None = None,
    *,
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Computes `probabilities.probabilities`, with the same arguments, on a TPU.

        predicted, probs = probability_kernel(logits, prompt, allowed)

    Args:
        logits: float32 [N+1, H, W].
        prompt: labels [H, W] and given [N].
        allowed: bool [N], or None.
        interpret: whether the kernel is interpreted, on any platform, which is for tests.

    Returns:
        float32 [N+1, H, W] without and with the prompt.
    """
    slots, height, width = logits.shape
    rows = ROWS if height >= ROWS else height
    given = jnp.asarray(prompt.given).astype(jnp.int32)
    given = jnp.concatenate([given.max(keepdims=True), given])
    classes = jnp.ones(slots, jnp.int32)
    if allowed is not None:
        classes = classes.at[1:].set(jnp.asarray(allowed).astype(jnp.int32))
    maps = pl.BlockSpec((slots, rows, width), lambda band, *rest: (0, band, 0))
    predicted, probs = pl.pallas_call(
        _kernel,
        grid_spec=pltpu.PrefetchScalarGridSpec(
            num_scalar_prefetch=2,
            grid=(-(-height // rows),),
            in_specs=[maps, pl.BlockSpec((rows, width), lambda band, *rest: (band, 0))],
            out_specs=[maps, maps],
        ),
        out_shape=[jax.ShapeDtypeStruct(logits.shape, jnp.float32)] * 2,
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",)),
        cost_estimate=pl.CostEstimate(
            flops=8 * logits.size,
            transcendentals=logits.size,
            bytes_accessed=4 * (3 * logits.size + height * width),
        ),
        interpret=interpret,
        name="probabilities",
    )(given, classes, logits, jnp.asarray(prompt.labels).astype(jnp.int32))
    return predicted, probs


def _kernel(given: Any, classes: Any, logits: Any, marks: Any, predicted: Any, probs: Any) -> None:
    """Takes a band of rows through softmax and prompt."""
    slots = logits.shape[0]
    values = [jnp.where(classes[slot] > 0, logits[slot], UNUSED_LOGIT) for slot in range(slots)]
    peak = functools.reduce(jnp.maximum, values)
    values = [jnp.exp(value - peak) for value in values]
    total = functools.reduce(jnp.add, values)
    values = [value / total for value in values]
    for slot, value in enumerate(values):
        predicted[slot] = value
    for slot, value in enumerate(with_prompt(values, marks[...], given)):
        probs[slot] = value
