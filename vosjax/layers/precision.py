"""bfloat16: a network computes in the dtype of its weights, and accumulates sums in float32.

Kernels, biases and tables are cast once, when weights are loaded; frames, features and memories
take over their dtype. Batch-norm statistics with their scale and bias, attention logits and
softmaxes, the logits of the last layer and probabilities stay float32.
"""

from typing import Any

import jax
import jax.numpy as jnp

from vosjax.errors import InputError
from vosjax.layers.dtypes import DTYPES


def cast(params: Any, dtype: str) -> Any:
    """Casts weights to a dtype; batch norms (groups that hold a variance) stay float32.

        params = cast(params, "bfloat16")

    Args:
        params: nested dicts of arrays.
        dtype: one of `layers.dtypes.DTYPES`.

    Raises:
        InputError: `dtype` is not one of these.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} was asked for; there are {' and '.join(DTYPES)}")

    def walk(node: Any) -> Any:
        own = jnp.float32 if "var" in node else dtype
        return {
            name: walk(child) if isinstance(child, dict) else _as(child, own)
            for name, child in node.items()
        }

    return walk(params)


def _as(leaf: Any, dtype: Any) -> jax.Array:
    array = jnp.asarray(leaf)
    return array.astype(dtype) if jnp.issubdtype(array.dtype, jnp.floating) else array


def compute_dtype(params: Any) -> Any:
    """Returns the dtype that a network computes in: the narrowest floating dtype of its weights.

    compute_dtype(params)
    """
    floating = [
        leaf.dtype for leaf in jax.tree.leaves(params) if jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    return min(floating, key=lambda dtype: dtype.itemsize, default=jnp.dtype("float32"))
