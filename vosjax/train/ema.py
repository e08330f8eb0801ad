"""The exponential moving average of the weights, which is what is validated and shipped."""

import jax


def update(average, params, decay: jax.Array):
    """average - (1 - decay) * (average - params), leaf by leaf (`schedule.ema_decay`)."""
    return jax.tree.map(lambda a, p: a - (1 - decay) * (a - p), average, params)
