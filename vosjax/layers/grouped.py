"""Grouped convolutions (ResNeXt, ResNeSt) in the fastest form for each platform."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

BUNDLE = 4  # groups computed together on CPUs; measured as fastest for 4 to 32 channels per group


def grouped_conv(x: jax.Array, kernel: jax.Array, *, groups: int, stride: int = 1) -> jax.Array:
    """Convolves groups of channels, padded by (k - 1) / 2.

        y = grouped_conv(x, kernel, groups=32)      # [B, H, W, I], [k, k, I/32, O]

    XLA's grouped convolution is slow on CPUs. There, a few groups at a time are computed as a dense
    convolution with a block-diagonal kernel: the extra products with zero cost less than they
    save. Other platforms use the grouped convolution.

    Args:
        x: [B, H, W, I].
        kernel: [k, k, I / groups, O].
        groups: number of groups; divides I and O.
        stride: stride along both axes.
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
        rows, cols, inputs, outputs = kernel.shape
        size = math.gcd(groups, BUNDLE) if groups > BUNDLE else 1
        blocks = kernel.reshape(rows, cols, inputs, groups // size, size, outputs // groups)
        diagonal = jnp.einsum("klisgo,fg->sklfigo", blocks, jnp.eye(size, dtype=kernel.dtype))
        dense = diagonal.reshape(
            groups // size, rows, cols, size * inputs, size * outputs // groups
        )
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
