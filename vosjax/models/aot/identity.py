"""The identity bank: embeds the slots of the pixels in a patch as one vector per token."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.layers.norm import layer_norm

CHANNELS = 11  # ten slots and the background
STRIDE = 16


def slots_of(probs: jax.Array) -> jax.Array:
    """Returns the most probable slot of every pixel: [N+1, H, W] -> int32 [H, W].

    slots = slots_of(probs)
    """
    return jnp.argmax(probs, 0).astype(jnp.int32)


class PatchConvolution(nn.Module):
    """A convolution of identities with a stride of 16, with a bias: [H, W, 11] -> [h, w, C].

    Attributes:
        features: number of channels C.
        size: side of its kernel.
        pad: width of the padding, which is zero in all channels.
    """

    features: int
    size: int
    pad: int

    def setup(self) -> None:
        shape = (self.size, self.size, CHANNELS, self.features)
        self.kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        self.bias = self.param("bias", nn.initializers.zeros, (self.features,))

    def __call__(self, identities: jax.Array) -> jax.Array:
        """Convolves identities [H, W, 11]."""
        return self._convolved(identities.astype(self.kernel.dtype), self.kernel, self.bias)

    def of_slots(self, slots: jax.Array) -> jax.Array:
        """Convolves the one-hot identities of slots, int [H, W].

        On TPUs, where a map of eleven channels takes the room of one of 128, it is a matrix product
        of the patches of slots, which become one-hot inside of it.
        """

        def by_convolution(slots: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
            identities = jax.nn.one_hot(slots, CHANNELS, dtype=jnp.float32)
            return self._convolved(identities.astype(kernel.dtype), kernel, bias)

        embedded: jax.Array = jax.lax.platform_dependent(
            slots, self.kernel, self.bias, tpu=self.by_patches, default=by_convolution
        )
        return embedded

    def _convolved(self, identities: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        x = jax.lax.conv_general_dilated(
            identities[None],
            kernel,
            (STRIDE, STRIDE),
            ((self.pad, self.pad), (self.pad, self.pad)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return (x + bias.reshape(1, 1, 1, -1))[0]

    def by_patches(self, slots: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        """Multiplies one-hot patches with the kernel."""
        nothing = CHANNELS  # one-hot, it is zero in all channels
        x = jnp.pad(slots, self.pad, constant_values=nothing)
        for axis in (0, 2):  # [H, W] -> [h, size, W] -> [h, size, w, size]
            count = (x.shape[axis] - self.size) // STRIDE + 1
            whole = jax.lax.slice_in_dim(x, 0, count * STRIDE, axis=axis)
            parts = [whole.reshape(*x.shape[:axis], count, STRIDE, *x.shape[axis + 1 :])]
            if self.size > STRIDE:  # the kernels overlap by one
                end = (count - 1) * STRIDE + self.size
                over = jax.lax.slice_in_dim(x, STRIDE, end, stride=STRIDE, axis=axis)
                parts.append(jnp.expand_dims(over, axis + 1))
            x = jnp.concatenate(parts, axis + 1)
        height, _, width, _ = x.shape
        patches = x.transpose(0, 2, 1, 3).reshape(height * width, 1, -1)
        identities = (patches == jnp.arange(CHANNELS)[:, None]).astype(kernel.dtype)
        kernel = kernel.reshape(-1, CHANNELS, self.features).swapaxes(0, 1)
        product = jnp.einsum("pck,ckf->pf", identities, kernel, preferred_element_type=jnp.float32)
        return product.astype(kernel.dtype).reshape(height, width, -1) + bias


class IdentityBank(nn.Module):
    """Maps identities [H, W, 11] to an embedding [P, C] (AOT).

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

    def setup(self) -> None:
        size, pad = (STRIDE + 1, STRIDE // 2) if self.aligned else (STRIDE, 0)
        self.bank = PatchConvolution(self.features, size, pad)
        if self.normed:
            self.norm = layer_norm()

    def __call__(self, identities: jax.Array) -> jax.Array:
        """Embeds identities."""
        return self._normed(self.bank(identities))

    def of_slots(self, slots: jax.Array) -> jax.Array:
        """Embeds the one-hot identities of slots, int [H, W]."""
        return self._normed(self.bank.of_slots(slots))

    def _normed(self, x: jax.Array) -> jax.Array:
        x = x.reshape(-1, self.features)
        return self.norm(x) if self.normed else x
