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
        channels = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, channels)
        bias = self.param("bias", nn.initializers.zeros, channels)
        mean = self.param("mean", nn.initializers.zeros, channels)
        var = self.param("var", nn.initializers.ones, channels)
        mean, var = jax.lax.stop_gradient((mean, var))
        if not self.trains:
            scale, bias = jax.lax.stop_gradient((scale, bias))
        gain = scale * jax.lax.rsqrt(var + self.epsilon)
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
