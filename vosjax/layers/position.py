"""The sine position embedding of AOT, which is DETR's with a normalisation of its own."""

import jax
import jax.numpy as jnp
import numpy as np

TEMPERATURE = 10000.0


def sine_position(height: int, width: int, *, channels: int = 256) -> jax.Array:
    """Returns the position embedding of a grid, half of the channels for rows, half for columns.

        position = sine_position(30, 54)      # float32 [30 * 54, 256]

    Position i = 0, 1, ... of an axis of length n has v = 2 pi i / (n - 1 + 1e-6); channel j is the
    sine (even j) or cosine (odd j) of v / 10000^(2 floor(j / 2) / (channels / 2)). DETR counts i
    from 1 and divides by n. The embedding depends on the size alone, so NumPy computes it while
    tracing.

    Args:
        height: number of rows h.
        width: number of columns w.
        channels: number of channels, even.

    Returns:
        float32 [h * w, channels].
    """
    half = channels // 2
    frequency = TEMPERATURE ** (2 * (np.arange(half) // 2) / half)

    def axis(n: int) -> np.ndarray:
        angle = np.arange(n)[:, None] / (n - 1 + 1e-6) * 2 * np.pi / frequency
        return np.where(np.arange(half) % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)

    rows = jnp.broadcast_to(axis(height)[:, None], (height, width, half))
    columns = jnp.broadcast_to(axis(width)[None], (height, width, half))
    return jnp.concatenate([rows, columns], -1).reshape(height * width, channels)
