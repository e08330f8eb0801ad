"""Stochastic depth: residual branches are dropped at random during training."""

import jax


def drop_path(x: jax.Array, rate: float, rng: jax.Array | None) -> jax.Array:
    """Drops a residual branch for some samples and divides the others by 1 - rate.

        x = x + drop_path(branch, 0.1, rng)

    Args:
        x: output of the branch, [B, ...]; one draw for each sample.
        rate: probability that a sample's branch is dropped, 0 <= rate < 1.
        rng: a PRNG key; None in inference, which returns x.

    Source: Huang et al., "Deep networks with stochastic depth" (2016), as in torchvision's
    `stochastic_depth(mode="row")`.
    """
    if rng is None or rate == 0.0:
        return x
    keep = jax.random.bernoulli(rng, 1.0 - rate, (x.shape[0],) + (1,) * (x.ndim - 1))
    return x * keep.astype(x.dtype) / (1.0 - rate)
