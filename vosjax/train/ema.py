"""The exponential moving average of the weights, which is validated and exported."""

from typing import Any

import jax
import numpy as np


def update(average: Any, params: Any, decay: jax.Array | np.float32) -> Any:
    """Updates an average: average - (1 - decay) * (average - params), leaf by leaf.

        average = update(average, trainable, scalars.ema_decay)

    This is the form of aot-benchmark. `optax.incremental_update` computes
    (1 - decay) * params + decay * average, which rounds differently in a quarter of the weights
    and, for decays near 1, with twice the error.

    Args:
        average: pytree of the averaged weights.
        params: pytree of the weights.
        decay: scalar, the share of the old average that is kept (`schedule.ema_decay`).
    """
    return jax.tree.map(lambda a, p: a - (1 - decay) * (a - p), average, params)
