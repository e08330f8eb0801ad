"""Boundary refinement: patches as the network sees them, with the reference's rounding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.layers.norm import IMAGENET_MEAN, IMAGENET_STD
from vosjax.layers.resize import resize_nearest

MEAN, DEVIATION = (  # of ImageNet, RGB in 0..255
    (255 * np.array(figure)).astype(np.float32) for figure in (IMAGENET_MEAN, IMAGENET_STD)
)
BITS = 11  # of the weights in OpenCV's fixed-point resizing
Taps = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def cut(maps: jax.Array, corners: jax.Array, patch: int) -> jax.Array:
    """Cuts patches out of a map.

        patches = cut(frame, corners, patch=64)      # [B, 64, 64, 3]

    Args:
        maps: [H, W] or [H, W, C].
        corners: int32 [B, 2], first row and column of each patch, which lies inside.
        patch: its side in pixels.
    """

    def one(corner: jax.Array) -> jax.Array:
        start = [corner[0], corner[1], *[jnp.int32(0)] * (maps.ndim - 2)]
        return jax.lax.dynamic_slice(maps, start, (patch, patch, *maps.shape[2:]))

    return jax.vmap(one)(corners)


@functools.lru_cache(maxsize=16)
def _taps(old: int, new: int, *, repeated: bool) -> Taps:
    """Returns both indices and both integer weights of one axis.

    Beyond the first and last pixel OpenCV interpolates along rows between that pixel and itself
    (`repeated`), and takes the pixel alone along columns, which the rounding tells apart.
    """
    at = (np.arange(new) + 0.5) * old / new - 0.5
    base = np.floor(at)
    share = at - base
    if not repeated:
        share = np.where((base < 0) | (base >= old - 1), 0, share)
    second = np.rint(share * 2**BITS).astype(np.int32)
    first, next_one = (np.clip(index, 0, old - 1).astype(np.int32) for index in (base, base + 1))
    return first, next_one, (1 << BITS) - second, second


def resize_bytes(images: jax.Array, side: int) -> jax.Array:
    """Resizes square images bilinearly, with the bits of OpenCV's `INTER_LINEAR` for uint8.

        resize_bytes(patches, 128)

    Args:
        images: uint8 [B, P, P, C].
        side: new side S in pixels.

    Returns:
        uint8 [B, S, S, C].
    """
    old = images.shape[1]
    if old == side:
        return images
    shape: tuple[int, ...] = (-1, 1)
    first, second, weight, other = _taps(old, side, repeated=False)
    x = images.astype(jnp.int32)
    x = x[:, :, first] * weight.reshape(shape) + x[:, :, second] * other.reshape(shape)
    x = x >> 4
    shape = (-1, 1, 1)
    first, second, weight, other = _taps(old, side, repeated=True)
    x = (x[:, first] * weight.reshape(shape) >> 16) + (x[:, second] * other.reshape(shape) >> 16)
    return ((x + 2) >> 2).astype(jnp.uint8)


def network_input(images: jax.Array, masks: jax.Array, side: int) -> tuple[jax.Array, jax.Array]:
    """Brings patches to the network's size and range.

        logits = network.apply(params, *network_input(images, masks, network.patch))

    Args:
        images: uint8 [B, P, P, 3] RGB.
        masks: bool [B, P, P].
        side: side S of the network's input.

    Returns:
        float32 [B, S, S, 3] of mean 0 and deviation 1 on ImageNet; float32 [B, S, S], -1 outside
        and +1 inside.
    """
    resized = (resize_bytes(images, side).astype(jnp.float32) - MEAN) / DEVIATION
    signs = jnp.where(resize_nearest(masks, side, side), 1.0, -1.0).astype(jnp.float32)
    return resized, signs
