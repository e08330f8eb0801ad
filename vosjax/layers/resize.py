"""Resizing as in the references: bilinear with either rule for corners, OpenCV's cubic, nearest.

Each axis is resized by a few gathers with constant indices, which XLA fuses into one loop; on TPUs,
where every gather writes its result to memory, by a matrix product. The gradient is two matrix
products, as the transpose of a gather, a scatter, is slow.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.types import Array, Size


@functools.lru_cache(maxsize=64)
def _taps(old: int, new: int, kind: str, align_corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns indices and weights [taps, new] of one axis; borders repeat, without antialiasing."""
    position = np.arange(new, dtype=np.float64)
    if align_corners:
        at = position * (old - 1) / (new - 1) if new > 1 else np.zeros(1)
    else:
        at = (position + 0.5) * old / new - 0.5
    if kind == "bilinear":
        at = np.clip(at, 0, old - 1)
        taps = {0: lambda d: 1 - d, 1: lambda d: d}
    else:  # the cubic kernel with a = -0.75
        a = -0.75

        def near(d: np.ndarray) -> np.ndarray:
            return ((a + 2) * d - (a + 3)) * d * d + 1

        def far(d: np.ndarray) -> np.ndarray:
            return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

        taps = {
            -1: lambda d: far(d + 1),
            0: near,
            1: lambda d: near(1 - d),
            2: lambda d: far(2 - d),
        }
    base = np.floor(at)
    index = np.stack([np.clip(base + tap, 0, old - 1) for tap in taps]).astype(np.int32)
    weight = np.stack([weight(at - base) for weight in taps.values()]).astype(np.float32)
    return index, weight


def _matrix(old: int, new: int, kind: str, align_corners: bool) -> np.ndarray:
    """Returns the weights of one axis as a matrix [new, old]."""
    matrix = np.zeros((new, old), np.float32)
    for index, weight in zip(*_taps(old, new, kind, align_corners)):
        np.add.at(matrix, (np.arange(new), index), weight)
    return matrix


def bilinear_matrix(old: int, new: int, *, align_corners: bool = False) -> np.ndarray:
    """Returns the weights of `resize` along one axis as a matrix, float32 [new, old].

    bilinear_matrix(24, 48).shape      # (48, 24)
    """
    return _matrix(old, new, "bilinear", align_corners)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def _resize(x: jax.Array, height: int, width: int, kind: str, align_corners: bool) -> jax.Array:
    def form(function: Callable[..., jax.Array]) -> Callable[[jax.Array], jax.Array]:
        return lambda x: function(x, height, width, kind, align_corners)

    if x.shape[-3:-1] == (height, width):
        return x
    resized: jax.Array = jax.lax.platform_dependent(x, tpu=form(by_matrix), default=form(by_gather))
    return resized


def by_matrix(x: jax.Array, height: int, width: int, kind: str, align_corners: bool) -> jax.Array:
    """Computes `resize` by a matrix product for each axis."""
    for axis, new in ((-3, height), (-2, width)):
        old = x.shape[axis]
        if old == new:
            continue
        matrix = jnp.asarray(_matrix(old, new, kind, align_corners), x.dtype)
        line = "...hwc,yh->...ywc" if axis == -3 else "...hwc,xw->...hxc"
        x = jnp.einsum(line, x, matrix, precision=jax.lax.Precision.HIGHEST)
    return x


def by_gather(x: jax.Array, height: int, width: int, kind: str, align_corners: bool) -> jax.Array:
    """Computes `resize` by a gather for each axis and tap."""
    for axis, new in ((-3, height), (-2, width)):
        old = x.shape[axis]
        if old == new:
            continue
        shape = [1] * x.ndim
        shape[axis] = new
        x = sum(
            jnp.take(x, index, axis) * weight.astype(x.dtype).reshape(shape)
            for index, weight in zip(*_taps(old, new, kind, align_corners))
        )
    return x


def _forward(
    x: jax.Array, height: int, width: int, kind: str, align_corners: bool
) -> tuple[jax.Array, Size]:
    return _resize(x, height, width, kind, align_corners), Size(*x.shape[-3:-1])


def _backward(
    height: int,
    width: int,
    kind: str,
    align_corners: bool,
    size: tuple[int, int],
    cotangent: jax.Array,
) -> tuple[jax.Array]:
    rows = jnp.asarray(_matrix(size[0], height, kind, align_corners), cotangent.dtype)
    cols = jnp.asarray(_matrix(size[1], width, kind, align_corners), cotangent.dtype)
    cotangent = jnp.einsum("...hwc,hy->...ywc", cotangent, rows)
    return (jnp.einsum("...hwc,wx->...hxc", cotangent, cols),)


_resize.defvjp(_forward, _backward)


def resize(
    x: jax.Array, height: int, width: int, *, kind: str = "bilinear", align_corners: bool = False
) -> jax.Array:
    """Resizes maps with channels: [..., H, W, C] -> [..., height, width, C].

        small = resize(frames, 480, 854, kind="cubic")

    Args:
        x: floating array [..., H, W, C].
        height: new number of rows.
        width: new number of columns.
        kind: 'bilinear', or 'cubic' (a = -0.75, as in OpenCV and PyTorch; results are not clipped).
        align_corners: True aligns the centres of the corner pixels; False aligns the borders, with
            half-pixel centres (as OpenCV, and as PyTorch's `interpolate` without antialiasing).
    """
    return _resize(x, height, width, kind, align_corners)


def resize_maps(
    maps: jax.Array, height: int, width: int, *, align_corners: bool = False
) -> jax.Array:
    """Resizes maps without channels bilinearly: [..., H, W] -> [..., height, width].

    resize_maps(jnp.zeros((3, 8, 8)), 16, 16).shape      # (3, 16, 16)
    """
    return resize(maps[..., None], height, width, align_corners=align_corners)[..., 0]


def resize_nearest(labels: Array, height: int, width: int) -> Array:
    """Resizes labels [..., H, W] to the nearest index floor(i * old / new), as in PyTorch.

    resize_nearest(jnp.zeros((8, 8), jnp.int32), 4, 4).shape      # (4, 4)
    """
    old_height, old_width = labels.shape[-2:]

    def index(old: int, new: int) -> np.ndarray:
        step = np.float32(old / new)
        return np.minimum(np.floor(np.arange(new, dtype=np.float32) * step), old - 1).astype(int)

    return labels[..., index(old_height, height), :][..., index(old_width, width)]
