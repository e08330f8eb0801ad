"""Convolutions padded as in the references, depthwise ones in the fastest form of each platform."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


def conv(
    features: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = True,
    name: str | None = None,
) -> nn.Conv:
    """Makes a square convolution, padded by dilation * (kernel - 1) / 2 on every side.

        x = conv(64, 3, stride=2, name="stem")(images)

    Unlike flax's "SAME", this padding does not depend on the stride, as in PyTorch.

    Args:
        features: number of output channels.
        kernel: side of the kernel in pixels, odd.
        stride: stride along both axes.
        dilation: dilation of the kernel.
        groups: number of groups of channels.
        bias: whether a bias is added.
        name: name of the layer.
    """
    pad = dilation * (kernel - 1) // 2
    return nn.Conv(
        features,
        (kernel, kernel),
        strides=(stride, stride),
        padding=((pad, pad), (pad, pad)),
        kernel_dilation=(dilation, dilation),
        feature_group_count=groups,
        use_bias=bias,
        name=name,
    )


def max_pool(x: jax.Array) -> jax.Array:
    """Max-pools 3x3 at stride 2, padded by one: [B, H, W, C] -> [B, ceil(H/2), ceil(W/2), C].

    max_pool(jnp.zeros((1, 33, 65, 8))).shape      # (1, 17, 33, 8)
    """
    return nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))


def depthwise(x: jax.Array, kernel: jax.Array, *, stride: int = 1, dilation: int = 1) -> jax.Array:
    """Convolves each channel with its own kernel, padded symmetrically.

        y = depthwise(x, kernel, dilation=2)      # [B, H, W, C], [k, k, 1, C]

    On CPUs and TPUs it is computed as a sum of k*k shifted products: on CPUs that is many times
    faster than a grouped convolution, with a derivative of its own; on TPUs it moves a third of the
    bytes, and the derivative is that of the convolution. Other platforms use the convolution.

    Args:
        x: [B, H, W, C].
        kernel: [k, k, 1, C].
        stride: stride along both axes.
        dilation: dilation of the kernel.
    """

    def form(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        return lambda x, kernel: function(x, kernel, stride, dilation)

    return jax.lax.platform_dependent(
        x, kernel, cpu=form(_shifted), tpu=form(_shifted_forward_only), default=form(_grouped)
    )


def _grouped(x: jax.Array, kernel: jax.Array, stride: int, dilation: int) -> jax.Array:
    pad = dilation * (kernel.shape[0] - 1) // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((pad, pad), (pad, pad)),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def _sum_of_shifts(x: jax.Array, kernel: jax.Array, stride: int, dilation: int) -> jax.Array:
    size = kernel.shape[0]
    pad = dilation * (size - 1) // 2
    rows, cols = ((n - 1) // stride + 1 for n in x.shape[1:3])
    padded = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    kernel = kernel.astype(jnp.float32)
    total: Any = None
    for i in range(size):
        for j in range(size):
            top, left = i * dilation, j * dilation
            part = (
                padded[
                    :,
                    top : top + (rows - 1) * stride + 1 : stride,
                    left : left + (cols - 1) * stride + 1 : stride,
                ]
                * kernel[i, j, 0]
            )
            total = part if total is None else total + part
    return total.astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _shifted_forward_only(x: jax.Array, kernel: jax.Array, stride: int, dilation: int) -> jax.Array:
    return _sum_of_shifts(x, kernel, stride, dilation)


def _grouped_forward(x: jax.Array, kernel: jax.Array, stride: int, dilation: int) -> Any:
    return jax.vjp(lambda x, kernel: _grouped(x, kernel, stride, dilation), x, kernel)


def _grouped_backward(stride: int, dilation: int, pull: Any, change: jax.Array) -> Any:
    return pull(change)


_shifted_forward_only.defvjp(_grouped_forward, _grouped_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _shifted(x: jax.Array, kernel: jax.Array, stride: int, dilation: int) -> jax.Array:
    return _sum_of_shifts(x, kernel, stride, dilation)


def _shifted_forward(x: jax.Array, kernel: jax.Array, stride: int, dilation: int) -> Any:
    return _shifted(x, kernel, stride, dilation), (x, kernel)


def _shifted_backward(stride: int, dilation: int, saved: Any, change: jax.Array) -> Any:
    """Transposes the sum for x; for the kernel, sums products row by row, which stay in cache."""
    x, kernel = saved
    size = kernel.shape[0]
    pad = dilation * (size - 1) // 2
    rows, cols, channels = change.shape[1:]
    fill = [(0, n - (m - 1) * stride - 1, stride - 1) for n, m in zip(x.shape[1:3], (rows, cols))]
    spread = jax.lax.pad(change, jnp.zeros((), change.dtype), [(0, 0, 0), *fill, (0, 0, 0)])
    padded = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    zero = jnp.zeros((), jnp.float32)

    def row(totals: list[jax.Array], y: jax.Array) -> tuple[list[jax.Array], None]:
        changed = jax.lax.dynamic_index_in_dim(change, y, 1, keepdims=False)
        sums = []
        for i in range(size):
            line = jax.lax.dynamic_index_in_dim(
                padded, y * stride + i * dilation, 1, keepdims=False
            )
            products = [
                (
                    line[:, j * dilation : j * dilation + (cols - 1) * stride + 1 : stride]
                    * changed
                ).astype(jnp.float32)
                for j in range(size)
            ]
            sums += jax.lax.reduce(
                products, [zero] * size, lambda a, b: [p + q for p, q in zip(a, b)], (0, 1)
            )
        return [a + b for a, b in zip(totals, sums)], None

    start = [jnp.zeros(channels)] * (size * size)
    totals, _ = jax.lax.scan(row, start, jnp.arange(rows))
    return (
        _shifted(spread, kernel[::-1, ::-1], 1, dilation),
        jnp.stack(totals).reshape(kernel.shape).astype(kernel.dtype),
    )


_shifted.defvjp(_shifted_forward, _shifted_backward)


class Depthwise(nn.Module):
    """A depthwise convolution without bias; its weight is `kernel` [k, k, 1, C]."""

    kernel_size: int
    stride: int = 1
    dilation: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param(
            "kernel",
            nn.initializers.variance_scaling(2.0, "fan_out", "normal"),
            (self.kernel_size, self.kernel_size, 1, x.shape[-1]),
        )
        return depthwise(x, kernel.astype(x.dtype), stride=self.stride, dilation=self.dilation)
