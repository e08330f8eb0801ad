"""bfloat16: a network computes in the dtype of its weights, and sums in float32 wherever it sums.

Kernels, biases and tables are cast once, when weights are loaded; frames, features and memories
follow. What stays float32: batch-norm statistics with their scale and bias, softmaxes and
attention logits, the last layer's logits, probabilities.
"""

from typing import Any

import jax
import jax.numpy as jnp

from vosjax.errors import InputError

DTYPES = ("float32", "bfloat16")


def cast(params: Any, dtype: str) -> Any:
    """Weights in a dtype; the groups that hold a variance (batch norms) stay float32.

        params = cast(params, "bfloat16")

    Args:
      params: nested dicts of arrays.
      dtype: one of DTYPES.

    Raises:
      ValueError: another dtype than those of DTYPES.
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
    """What a network with these weights computes in: the narrowest floating dtype among them.

    compute_dtype(params)
    """
    floating = [
        leaf.dtype for leaf in jax.tree.leaves(params) if jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    return min(floating, key=lambda dtype: dtype.itemsize, default=jnp.dtype("float32"))
