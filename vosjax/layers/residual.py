"""The convolutions of the matching networks, initialised as in PyTorch, and their residual blocks.

A joint layer computes a convolution of the concatenation of one object's own input and an input
that all objects share, but processes the shared part only once: call `share` first, and then the
layer for each object.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.layers.resize import resize

BRANCH = 0.2  # initial scale of the last norm of a residual block
QUIET = 0.2  # initial weight of the image in values, since untrained features would hide the masks


def _uniform(fan_in: int) -> Callable[[jax.Array, tuple[int, ...]], jax.Array]:
    """Returns an initializer, uniform in +-1/sqrt(fan-in): PyTorch's for kernels and biases."""
    bound = 1 / math.sqrt(fan_in)
    return lambda rng, shape: jax.random.uniform(rng, shape, jnp.float32, -bound, bound)


def convolve(x: jax.Array, kernel: jax.Array, *, stride: int = 1, dilation: int = 1) -> jax.Array:
    """Convolves x [B, H, W, I] with a kernel [k, k, I, O], padded by dilation * (k - 1) / 2.

    convolve(jnp.zeros((1, 9, 9, 4)), jnp.zeros((3, 3, 4, 8))).shape      # (1, 9, 9, 8)
    """
    pad = dilation * (kernel.shape[0] - 1) // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel.astype(x.dtype),
        (stride, stride),
        ((pad, pad), (pad, pad)),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def upsample(x: jax.Array, factor: int) -> jax.Array:
    """Upsamples bilinearly with half-pixel centres: [B, H, W, C] -> [B, f H, f W, C].

    upsample(jnp.zeros((1, 9, 9, 4)), 2).shape      # (1, 18, 18, 4)
    """
    return resize(x, factor * x.shape[1], factor * x.shape[2])


class Conv(nn.Module):
    """A square convolution with bias."""

    features: int
    size: int = 3

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.size, self.size, x.shape[-1], self.features)
        start = _uniform(math.prod(shape[:3]))
        kernel = self.param("kernel", start, shape)
        return convolve(x, kernel) + self.param("bias", start, shape[3:]).astype(x.dtype)


class JointConv(nn.Module):
    """A 3x3 convolution with bias over the concatenated channels of own and shared input.

    Attributes:
        own: number of channels of an object's own input, which come first in the kernel.
        shared: number of channels of the shared input.
        features: number of output channels.
        dilation: dilation of the kernel.
    """

    own: int
    shared: int
    features: int
    dilation: int = 1

    def setup(self) -> None:
        shape = (3, 3, self.own + self.shared, self.features)
        start = _uniform(math.prod(shape[:3]))
        self.kernel = self.param("kernel", start, shape)
        self.bias = self.param("bias", start, shape[3:])

    def share(self, x: jax.Array) -> jax.Array:
        """Returns the contribution of the shared input to the output, including the bias."""
        return convolve(x, self.kernel[:, :, self.own :], dilation=self.dilation) + self.bias

    def __call__(self, x: jax.Array, shared: jax.Array) -> jax.Array:
        return convolve(x, self.kernel[:, :, : self.own], dilation=self.dilation) + shared


class ResBlock(nn.Module):
    """A residual block without norms: shortcut(x) + conv2(relu(conv1(relu(x)))).

    The shortcut is the identity, or a 3x3 convolution if the number of channels changes.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = Conv(self.features, name="conv1")(nn.relu(x))
        y = Conv(self.features, name="conv2")(nn.relu(y))
        if x.shape[-1] != self.features:
            x = Conv(self.features, name="downsample")(x)
        return x + y


class JointBlock(nn.Module):
    """A `ResBlock` over the concatenated channels of own and shared input, see `JointConv`."""

    own: int
    shared: int
    features: int

    def setup(self) -> None:
        self.conv1 = JointConv(self.own, self.shared, self.features)
        self.downsample = JointConv(self.own, self.shared, self.features)
        self.conv2 = Conv(self.features)

    def share(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the contributions of the shared input to the first convolution and shortcut."""
        return self.conv1.share(nn.relu(x)), self.downsample.share(x)

    def __call__(self, x: jax.Array, shared: tuple[jax.Array, jax.Array]) -> jax.Array:
        first, shortcut = shared
        y = self.conv2(nn.relu(self.conv1(nn.relu(x), first)))
        return self.downsample(x, shortcut) + y


def random_encoder(rng: jax.Array, shapes: dict) -> dict:
    """Draws weights of an image encoder: kernels He-normal by fan-in, biases 0, norms the identity.

        params = random_encoder(jax.random.key(0), shapes)

    They are used if no published encoder is loaded; the references always start from ImageNet. The
    scale of the last norm of each residual block starts at 0.2 (Goyal et al. 2017 start it at 0):
    frozen statistics do not normalise sums, and after thirteen blocks at full strength maps would
    be ninety times as large as the image. All weights are slices of one draw, since one draw for
    each would take minutes to compile.

    Args:
        rng: a PRNG key.
        shapes: nested dicts of arrays or of their shapes.

    Returns:
        Nested dicts of float32 arrays of these shapes.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(shapes)
    drawn = jax.random.normal(rng, (sum(math.prod(leaf.shape) for _, leaf in leaves),))
    weights, start = [], 0
    for path, leaf in leaves:
        end = start + math.prod(leaf.shape)
        if path[-1].key == "kernel":
            spread = math.sqrt(2 / math.prod(leaf.shape[:-1]))
            weights.append(spread * drawn[start:end].reshape(leaf.shape))
        elif path[-1].key == "scale":
            weights.append(jnp.full(leaf.shape, BRANCH if _closes(path, shapes) else 1.0))
        else:
            weights.append(jnp.full(leaf.shape, float(path[-1].key == "var")))
        start = end
    return jax.tree.unflatten(tree, weights)


def _closes(path: Any, shapes: Any) -> bool:
    """Whether the path [block, norm, 'scale'] leads to the last norm of a residual block."""
    if len(path) != 3:
        return False
    norms = sorted(name for name in shapes[path[0].key] if re.fullmatch(r"bn\d", name))
    return path[1].key == norms[-1]


def orthogonal(rng: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws a kernel [k, k, I, O] whose O rows over [I, k, k] are orthonormal, as in PyTorch.

    kernel = orthogonal(jax.random.key(0), (3, 3, 64, 32))
    """
    size, _, inputs, outputs = shape
    rows = jax.nn.initializers.orthogonal()(rng, (outputs, inputs * size * size), jnp.float32)
    return rows.reshape(outputs, inputs, size, size).transpose(2, 3, 1, 0)
