"""Draws initial weights as the AOT reference does, for any tree of shapes."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def _uniform(rng: jax.Array, shape: tuple[int, ...], bound: float) -> jax.Array:
    return jax.random.uniform(rng, shape, jnp.float32, -bound, bound)


def _fans(path: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Returns fan-in and fan-out as PyTorch counts them in its own layout of the same weight."""
    if path.endswith("relative_key"):  # [heads, C, K^2]; in PyTorch a grouped 1x1 convolution
        return shape[1], shape[0] * shape[2]
    if path.endswith("relative_value"):  # [heads, D, K^2]
        return shape[1] * shape[2], shape[0] * shape[2]
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _bank(rng: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws orthogonal rows over [C, 11 k k], divided by the k*k pixels of a patch."""
    size, _, channels, features = shape
    flat = jax.nn.initializers.orthogonal(scale=size**-2)(
        rng, (features, channels * size * size), jnp.float32
    )
    return flat.reshape(features, channels, size, size).transpose(2, 3, 1, 0)


def fill(rng: Any, shapes: Any) -> dict:
    """Draws the weights of everything except the encoder, as aot-benchmark does for AOT.

    Kernels and relative tables are Xavier-uniform, the identity bank is orthogonal, biases are
    uniform in +-1/sqrt(fan-in) (PyTorch's default), scales of norms are 1 and their biases 0.

    Args:
        rng: a PRNG key.
        shapes: nested dicts of arrays or shapes.

    Returns:
        Nested dicts of float32 arrays of these shapes.
    """
    leaves = {
        "/".join(part.key for part in path): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(shapes)
    }
    keys = jax.random.split(rng, len(leaves))
    kernel_of = {"bias": "kernel", "relative_bias": "relative_key"}

    def weight(path: str, shape: tuple[int, ...], key: jax.Array) -> jax.Array:
        parent, _, leaf = path.rpartition("/")
        if leaf == "scale":
            return jnp.ones(shape)
        if leaf in kernel_of:
            kernel = f"{parent}/{kernel_of[leaf]}"
            if kernel not in leaves:  # the bias of a norm
                return jnp.zeros(shape)
            return _uniform(key, shape, 1 / math.sqrt(_fans(kernel, leaves[kernel])[0]))
        if parent == "identity/bank":
            return _bank(key, shape)
        return _uniform(key, shape, math.sqrt(6 / sum(_fans(path, shape))))

    flat = [weight(path, shape, key) for (path, shape), key in zip(leaves.items(), keys)]
    return jax.tree.unflatten(jax.tree.structure(shapes), flat)


def encoder(rng: Any, shapes: Any) -> dict:
    """Draws the weights of an encoder: kernels He-normal by fan-out, norms the identity.

    Args:
        rng: a PRNG key.
        shapes: nested dicts of arrays or shapes.

    Returns:
        Nested dicts of float32 arrays of these shapes.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(shapes)
    keys = jax.random.split(rng, len(leaves))

    def weight(path: Any, shape: tuple[int, ...], key: jax.Array) -> jax.Array:
        leaf = path[-1].key
        if leaf in ("scale", "var"):
            return jnp.ones(shape)
        if leaf in ("bias", "mean"):
            return jnp.zeros(shape)
        fan_out = int(np.prod(shape[:-2])) * shape[-1]
        return math.sqrt(2 / fan_out) * jax.random.normal(key, shape)

    return jax.tree.unflatten(
        tree, [weight(path, leaf.shape, key) for (path, leaf), key in zip(leaves, keys)]
    )
