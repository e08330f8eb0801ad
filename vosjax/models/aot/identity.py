"""The identity bank: embeds the slots of the pixels in a patch as one vector per token."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.layers.norm import layer_norm

CHANNELS = 11  # ten slots and the background
STRIDE = 16


def one_hot(probs: jax.Array) -> jax.Array:
    """Returns the most probable slot of every pixel as a one-hot vector.

    identities = one_hot(probs)      # [N+1, H, W] -> float32 [H, W, 11]
    """
    return jax.nn.one_hot(jnp.argmax(probs, 0), CHANNELS, dtype=jnp.float32)


class IdentityBank(nn.Module):
    """Maps one-hot identities [H, W, 11] to an embedding [P, C] (AOT).

    Aligned models (H = 16k + 1) use 17x17 kernels with a padding of 8, the others 16x16 kernels
    without padding. The padding is zero in all channels, including that of the background.

    Attributes:
        aligned: whether sizes are 16k + 1 rather than 16k.
        normed: whether a LayerNorm follows (AOTv2, DeAOT and AOST).
        features: number of channels C.
    """

    aligned: bool
    normed: bool
    features: int = 256

    @nn.compact
    def __call__(self, identities: jax.Array) -> jax.Array:
        size, pad = (STRIDE + 1, STRIDE // 2) if self.aligned else (STRIDE, 0)
        x = nn.Conv(
            self.features,
            (size, size),
            strides=(STRIDE, STRIDE),
            padding=((pad, pad), (pad, pad)),
            name="bank",
        )(identities[None])
        x = x.reshape(-1, self.features)
        return layer_norm(name="norm")(x) if self.normed else x
