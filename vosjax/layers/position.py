"""The sine position embedding of AOT: DETR's idea, with AOT's own normalisation."""

import jax
import jax.numpy as jnp
import numpy as np

TEMPERATURE = 10000.0


def sine_position(height: int, width: int, *, channels: int = 256) -> jax.Array:
    """Position embedding; rows in the first half of the channels, columns in the second.

        position = sine_position(30, 54)      # float32 [30 * 54, 256]

    Along an axis of n places v = 2 pi i / (n - 1 + 1e-6), i from 0; channel j is the sine (even j)
    or cosine (odd j) of v / 10000^(2 floor(j / 2) / (channels / 2)). DETR starts at 1 and divides
    by n. It is computed by numpy while tracing, as it depends on the size alone.
    """
    half = channels // 2
    frequency = TEMPERATURE ** (2 * (np.arange(half) // 2) / half)

    def axis(n: int) -> np.ndarray:
        angle = np.arange(n)[:, None] / (n - 1 + 1e-6) * 2 * np.pi / frequency
        return np.where(np.arange(half) % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)

    rows = jnp.broadcast_to(axis(height)[:, None], (height, width, half))
    columns = jnp.broadcast_to(axis(width)[None], (height, width, half))
    return jnp.concatenate([rows, columns], -1).reshape(height * width, channels)
