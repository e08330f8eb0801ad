"""Norms with the epsilon of the references: 1e-5, where flax's default is 1e-6."""

import flax.linen as nn
import jax
import jax.numpy as jnp

EPSILON = 1e-5
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def imagenet_normalise(frame: jax.Array) -> jax.Array:
    """Normalises RGB, [..., 3] in 0..1, by the mean and the standard deviation of ImageNet.

    image = imagenet_normalise(frame)
    """
    mean, std = jnp.array(IMAGENET_MEAN, frame.dtype), jnp.array(IMAGENET_STD, frame.dtype)
    return (frame - mean) / std


class FrozenBatchNorm(nn.Module):
    """Batch norm in inference form: (x - mean) / sqrt(var + epsilon) * scale + bias.

    Attributes:
        epsilon: added to the variance.
        trains: whether scale and bias have gradients (STCN, STM); the statistics never have.
    """

    epsilon: float = EPSILON
    trains: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        scale, bias, mean, var = _norm_weights(self, x.shape[-1])
        mean, var = jax.lax.stop_gradient((mean, var))
        if not self.trains:
            scale, bias = jax.lax.stop_gradient((scale, bias))
        return _normalised(x, scale, bias, mean, var, self.epsilon)


class BatchNorm(nn.Module):
    """Batch norm with the weights of `FrozenBatchNorm`, for networks that are trained from scratch.

        norm = BatchNorm(train=True)
        y, new = norm.apply({"params": params}, x, mutable="statistics")

    Attributes:
        train: whether x is normalised by its own mean and (biased) variance over all axes but the
            last, instead of by the weights `mean` and `var`. Moving averages of these two are then
            left in the collection `statistics` under the same names; the variance that enters the
            average is unbiased, as in PyTorch.
        momentum: share of the batch in the moving averages.
    """

    train: bool = False
    momentum: float = 0.1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        scale, bias, mean, var = _norm_weights(self, x.shape[-1])
        if self.train:
            axes, old = tuple(range(x.ndim - 1)), (mean, var)
            wide = x.astype(jnp.float32)
            mean, var = jnp.mean(wide, axes), jnp.var(wide, axes)
            count = x.size // x.shape[-1]
            seen = (mean, var * (count / max(count - 1, 1)))
            for name, before, now in zip(("mean", "var"), old, seen):
                moved = before + self.momentum * (jax.lax.stop_gradient(now) - before)
                self.put_variable("statistics", name, moved)
        return _normalised(x, scale, bias, mean, var, EPSILON)


def _norm_weights(norm: nn.Module, channels: int) -> tuple[jax.Array, ...]:
    """Makes scale, bias, mean and var [C] of a batch norm."""
    ones, zeros = nn.initializers.ones, nn.initializers.zeros
    kinds = {"scale": ones, "bias": zeros, "mean": zeros, "var": ones}
    return tuple(norm.param(name, kind, (channels,)) for name, kind in kinds.items())


def _normalised(
    x: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    mean: jax.Array,
    var: jax.Array,
    epsilon: float,
) -> jax.Array:
    gain = scale * jax.lax.rsqrt(var + epsilon)
    return (x * gain + (bias - mean * gain)).astype(x.dtype)


def layer_norm(name: str | None = None) -> nn.LayerNorm:
    """Makes a LayerNorm over the last axis.

    x = layer_norm(name="norm")(x)
    """
    return nn.LayerNorm(epsilon=EPSILON, name=name, use_fast_variance=False)


def group_norm(groups: int, name: str | None = None) -> nn.GroupNorm:
    """Makes a GroupNorm over all axes but the first, with the channels split into `groups`.

    x = group_norm(32, name="norm")(x)
    """
    return nn.GroupNorm(num_groups=groups, epsilon=EPSILON, name=name, use_fast_variance=False)
