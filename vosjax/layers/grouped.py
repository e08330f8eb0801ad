"""Grouped 3x3 convolutions (ResNeXt, ResNeSt) in the form that each platform likes."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

BUNDLE = 4  # groups computed together on the CPU; measured best for 4 to 32 channels a group


def grouped_conv(x: jax.Array, kernel: jax.Array, *, groups: int, stride: int = 1) -> jax.Array:
    """A grouped convolution, padded by (k - 1) / 2.

        y = grouped_conv(x, kernel, groups=32)      # [B, H, W, I], [k, k, I/32, O]

    On the CPU the compiler's grouped convolution is slow. There the channels are split into
    bundles of a few groups, each a dense convolution whose kernel is block-diagonal: the extra
    products with zero cost less than they save. Other platforms take the grouped convolution.
    """
    pad = (kernel.shape[0] - 1) // 2

    def convolve(x: jax.Array, kernel: jax.Array, groups: int = 1) -> jax.Array:
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (stride, stride),
            ((pad, pad), (pad, pad)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )

    def bundled(x: jax.Array, kernel: jax.Array) -> jax.Array:
        rows, cols, inside, made = kernel.shape
        size = math.gcd(groups, BUNDLE) if groups > BUNDLE else 1
        blocks = kernel.reshape(rows, cols, inside, groups // size, size, made // groups)
        diagonal = jnp.einsum("klisgo,fg->sklfigo", blocks, jnp.eye(size, dtype=kernel.dtype))
        dense = diagonal.reshape(groups // size, rows, cols, size * inside, size * made // groups)
        parts = jnp.split(x, groups // size, axis=-1)
        return jnp.concatenate([convolve(p, k) for p, k in zip(parts, dense)], axis=-1)

    return jax.lax.platform_dependent(
        x, kernel, cpu=bundled, default=lambda x, kernel: convolve(x, kernel, groups)
    )


class GroupedConv(nn.Module):
    """A grouped square convolution without bias; its weight is `kernel` [k, k, I/groups, O]."""

    features: int
    kernel_size: int
    groups: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        size = (self.kernel_size, self.kernel_size, x.shape[-1] // self.groups, self.features)
        kernel = self.param(
            "kernel", nn.initializers.variance_scaling(2.0, "fan_in", "normal"), size
        )
        return grouped_conv(x, kernel.astype(x.dtype), groups=self.groups, stride=self.stride)
