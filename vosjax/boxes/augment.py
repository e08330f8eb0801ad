"""The crops of the first frame, from which the target model is learned: as DiMP varies them."""

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

CROPS = 13  # of `augmented`: as it is, four shifted, one mirrored, three blurred, four rotated
SHIFT = 0.6  # of half the crop's side, along both axes
RANDOM_SHIFT = 1 / 6  # largest shift of the mirrored, blurred and rotated crops, of the side
BLURS = ((3.0, 1.0), (1.0, 3.0), (2.0, 2.0))  # standard deviations (rows, columns) in pixels
ANGLES = (10.0, -10.0, 45.0, -45.0)  # degrees
DROPOUT = 0.2  # share of the channels that are dropped from a copy of the features


def augmented(region: jax.Array, rng: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Varies the crop in the middle of a region.

        crops, shifts = augmented(region, jax.random.PRNGKey(0))

    Args:
        region: float32 [2 S, 2 S, 3] with the object in its middle.
        rng: a PRNG key, for the shifts.

    Returns:
        Crops [13, S, S, 3], the first as it is, and by how much the object is shifted in them,
        int32 [13, 2] (rows, columns).
    """
    side = region.shape[0] // 2
    fixed = int(SHIFT * side / 2) * jnp.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
    changed = [region[:, ::-1]]
    changed += [_blurred(region, *sigma) for sigma in BLURS]
    changed += [_rotated(region, angle) for angle in ANGLES]
    most = side * RANDOM_SHIFT
    random = jax.random.uniform(rng, (len(changed), 2), minval=-most, maxval=most)
    shifts = jnp.concatenate([jnp.zeros((1, 2)), fixed, random]).astype(jnp.int32)
    crops = [_middle(image, shift) for image, shift in zip([region] * 5 + changed, shifts)]
    return jnp.stack(crops), shifts


def without_channels(features: jax.Array, rng: jax.Array) -> jax.Array:
    """Drops a fifth of the channels at random and scales the others up.

        dropped = without_channels(features, jax.random.PRNGKey(0))

    Args:
        features: float32 [h, w, C].
        rng: a PRNG key.
    """
    kept = jax.random.bernoulli(rng, 1 - DROPOUT, features.shape[-1:])
    return jnp.where(kept, features / (1 - DROPOUT), 0)


def _middle(image: jax.Array, shift: jax.Array) -> jax.Array:
    """Cuts out the middle of an image whose content is shifted."""
    side = image.shape[0] // 2
    first = side // 2 - shift
    return jax.lax.dynamic_slice(image, (first[0], first[1], 0), (side, side, image.shape[2]))


def _blurred(image: jax.Array, rows: float, columns: float) -> jax.Array:
    """Convolves with a Gaussian along each axis; the border repeats."""
    for axis, sigma in enumerate((rows, columns)):
        reach = int(2 * sigma)
        taps = jnp.exp(-(jnp.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
        taps /= taps.sum()
        pad = [(0, 0)] * 3
        pad[axis] = (reach, reach)
        padded, length = jnp.pad(image, pad, mode="edge"), image.shape[axis]
        parts = (
            tap * jax.lax.slice_in_dim(padded, i, i + length, axis=axis)
            for i, tap in enumerate(taps)
        )
        image = sum(parts, jnp.zeros(()))
    return image


def _rotated(image: jax.Array, angle: float) -> jax.Array:
    """Rotates about the middle, bilinearly; the border repeats."""
    middle, turn = (image.shape[0] - 1) / 2, jnp.deg2rad(angle)
    rows, columns = jnp.meshgrid(*(jnp.arange(n) - middle for n in image.shape[:2]), indexing="ij")
    cos, sin = jnp.cos(turn), jnp.sin(turn)
    at = [cos * rows - sin * columns + middle, sin * rows + cos * columns + middle]
    channels = [
        map_coordinates(image[..., i], at, order=1, mode="nearest") for i in range(image.shape[2])
    ]
    return jnp.stack(channels, -1)
