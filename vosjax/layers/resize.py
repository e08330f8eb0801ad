"""Resizing as the references do it: bilinear with either corner rule, OpenCV's cubic, nearest.

Linear resizing is two small matrix products with matrices that are built once, in numpy.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np


@functools.lru_cache(maxsize=64)
def _weights(old: int, new: int, kind: str, align_corners: bool) -> np.ndarray:
    """The [new, old] matrix of one axis; borders are repeated, nothing is low-pass filtered."""
    out = np.arange(new, dtype=np.float64)
    if align_corners:
        at = out * (old - 1) / (new - 1) if new > 1 else np.zeros(1)
    else:
        at = (out + 0.5) * old / new - 0.5
    if kind == "bilinear":
        at = np.clip(at, 0, old - 1)
        taps = {0: lambda d: 1 - d, 1: lambda d: d}
    else:  # the cubic kernel with a = -0.75
        a = -0.75

        def near(d):
            return ((a + 2) * d - (a + 3)) * d * d + 1

        def far(d):
            return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

        taps = {-1: lambda d: far(d + 1), 0: near, 1: lambda d: near(1 - d), 2: lambda d: far(2 - d)}
    base = np.floor(at)
    matrix = np.zeros((new, old))
    for tap, weight in taps.items():
        column = np.clip(base + tap, 0, old - 1).astype(int)
        np.add.at(matrix, (np.arange(new), column), weight(at - base))
    return matrix.astype(np.float32)


def resize(x: jax.Array, height: int, width: int, *, kind: str = "bilinear",
           align_corners: bool = False) -> jax.Array:
    """Resizes x [..., H, W, C] to [..., height, width, C].

    Args:
      x: float array.
      kind: 'bilinear' or 'cubic' (a = -0.75, as OpenCV and PyTorch; not clipped).
      align_corners: True maps corner pixels onto corner pixels, False maps half-pixel centres
        (torch's `interpolate` without antialiasing, and OpenCV).
    """
    old_height, old_width = x.shape[-3:-1]
    if (old_height, old_width) == (height, width):
        return x
    rows = jnp.asarray(_weights(old_height, height, kind, align_corners), x.dtype)
    cols = jnp.asarray(_weights(old_width, width, kind, align_corners), x.dtype)
    x = jnp.einsum("...hwc,yh->...ywc", x, rows)
    return jnp.einsum("...hwc,xw->...hxc", x, cols)


def resize_maps(maps: jax.Array, height: int, width: int, *,
                align_corners: bool = False) -> jax.Array:
    """Bilinear resizing of maps [..., H, W] that carry no channels behind."""
    return resize(maps[..., None], height, width, align_corners=align_corners)[..., 0]


def resize_nearest(labels: jax.Array, height: int, width: int) -> jax.Array:
    """Nearest resizing of labels [..., H, W], source index floor(i * old / new) as in torch."""
    old_height, old_width = labels.shape[-2:]

    def index(old, new):
        step = np.float32(old / new)
        return np.minimum(np.floor(np.arange(new, dtype=np.float32) * step), old - 1).astype(int)

    return labels[..., index(old_height, height), :][..., index(old_width, width)]
