"""Stochastic depth: a residual branch that is left out at random while training."""

import jax


def drop_path(x: jax.Array, rate: float, rng: jax.Array | None) -> jax.Array:
    """Leaves out a residual branch for some samples and divides the others by 1 - rate.

        x = x + drop_path(branch, 0.1, rng)

    Args:
      x: output of the branch, [B, ...]; one draw for each sample.
      rate: probability of leaving a sample's branch out, 0 <= rate < 1.
      rng: a key, or None in inference, which returns x.

    Source: Huang et al., "Deep networks with stochastic depth", in the form of torchvision's
    `stochastic_depth(mode="row")`.
    """
    if rng is None or rate == 0.0:
        return x
    keep = jax.random.bernoulli(rng, 1.0 - rate, (x.shape[0],) + (1,) * (x.ndim - 1))
    return x * keep.astype(x.dtype) / (1.0 - rate)
