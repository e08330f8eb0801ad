"""The identity bank: the slots of a patch's pixels, embedded as one vector a stride-16 token."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.layers.norm import layer_norm

CHANNELS = 11  # ten slots and the background
STRIDE = 16


def one_hot(probs: jax.Array) -> jax.Array:
    """The likeliest slot of every pixel, as the identity bank takes it.

    identities = one_hot(probs)      # [N+1, H, W] -> float32 [H, W, 11]
    """
    return jax.nn.one_hot(jnp.argmax(probs, 0), CHANNELS, dtype=jnp.float32)


class IdentityBank(nn.Module):
    """One-hot identities [H, W, 11] -> embedding [P, C].

    Aligned models (H = 16k + 1) convolve with 17x17 kernels padded by 8, the others with 16x16
    kernels without padding; the zero padding holds no background either.

    Attributes:
      aligned: which of the two.
      normed: whether a LayerNorm follows (AOTv2 and AOST).
      features: C.
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
