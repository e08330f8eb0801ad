"""The feature-pyramid decoder of AOT: from tokens at stride 16 to identity logits at stride 4."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.backbones import FeatureMaps
from vosjax.layers.conv import conv
from vosjax.layers.norm import group_norm
from vosjax.layers.resize import resize
from vosjax.models.aot.identity import CHANNELS

NORM_GROUPS = 8


class ConvNorm(nn.Module):
    """A convolution with bias, followed by a group norm."""

    features: int
    kernel: int

    @nn.compact
    def __call__(self, x: jax.Array) -> Any:
        x = linear_or_conv(self.features, self.kernel)(x)
        return group_norm(NORM_GROUPS, name="norm")(x)


def linear_or_conv(features: int, kernel: int) -> nn.Module:
    """Makes a convolution named 'conv'; a 1x1 kernel is applied as a matrix product."""
    return nn.Dense(features, name="conv") if kernel == 1 else conv(features, kernel, name="conv")


class Decoder(nn.Module):
    """Maps tokens [B, h, w, C'] and the encoder's maps to identity logits [B, h4, w4, 11].

    Attributes:
        align_corners: how maps are resized between strides, see `layers.resize`.
        entrance: name of the first layer, the only one that depends on the number of channels C'
            of the tokens; AOST has one for each depth.
    """

    align_corners: bool
    entrance: str = "conv_in"

    @nn.compact
    def __call__(self, tokens: jax.Array, maps: FeatureMaps) -> jax.Array:
        def up(x: jax.Array, like: jax.Array) -> jax.Array:
            return resize(x, *like.shape[1:3], align_corners=self.align_corners)

        x = nn.relu(ConvNorm(256, 1, name=self.entrance)(tokens))
        x = x + nn.Dense(256, name="adapter16")(maps.f16)
        x = nn.relu(ConvNorm(256, 3, name="conv16")(x))
        x = up(x, maps.f8) + nn.Dense(256, name="adapter8")(maps.f8)
        x = nn.relu(ConvNorm(128, 3, name="conv8")(x))
        x = up(x, maps.f4) + nn.Dense(128, name="adapter4")(maps.f4)
        x = nn.relu(ConvNorm(128, 3, name="conv4")(x))
        return nn.Dense(CHANNELS, dtype=jnp.float32, name="out")(x)
