"""The crops of the first frame, from which the target model is learned: as DiMP varies them."""

import jax
import jax.numpy as jnp

CROPS = 13  # of `augmented`: as it is, four shifted, one mirrored, three blurred, four rotated
SHIFT = 0.6  # of half the crop's side, along both axes
RANDOM_SHIFT = 1 / 6  # largest shift of the mirrored, blurred and rotated crops, of the side
BLURS = ((3.0, 1.0), (1.0, 3.0), (2.0, 2.0))  # standard deviations (rows, columns) in pixels
REACH = 6  # pixels of the widest blur
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
    blurred = jax.vmap(_blurred, (None, 0))(region, jnp.array(BLURS))
    rotated = jax.vmap(_rotated, (None, 0))(region, jnp.array(ANGLES))
    changed = jnp.concatenate([region[None, :, ::-1], blurred, rotated])
    most = side * RANDOM_SHIFT
    random = jax.random.uniform(rng, (len(changed), 2), minval=-most, maxval=most)
    random = random.astype(jnp.int32)
    still = jnp.concatenate([jnp.zeros((1, 2), jnp.int32), fixed])
    crops = [jax.vmap(_middle, (None, 0))(region, still), jax.vmap(_middle)(changed, random)]
    return jnp.concatenate(crops), jnp.concatenate([still, random])


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


def _blurred(image: jax.Array, sigmas: jax.Array) -> jax.Array:
    """Convolves with a Gaussian along each axis, cut off at two deviations; the border repeats."""
    taps = jnp.arange(-REACH, REACH + 1)
    for axis in (0, 1):
        sigma = sigmas[axis]
        weights = jnp.where(abs(taps) <= 2 * sigma, jnp.exp(-(taps**2) / (2 * sigma**2)), 0)
        weights /= weights.sum()
        pad = [(0, 0)] * 3
        pad[axis] = (REACH, REACH)
        padded, length = jnp.pad(image, pad, mode="edge"), image.shape[axis]
        image = jnp.zeros_like(image)
        for i in range(len(taps)):
            image += weights[i] * jax.lax.slice_in_dim(padded, i, i + length, axis=axis)
    return image


def _rotated(image: jax.Array, degrees: jax.Array) -> jax.Array:
    """Rotates about the middle, bilinearly; the border repeats."""
    middle, turn = (image.shape[0] - 1) / 2, jnp.deg2rad(degrees)
    rows, columns = jnp.meshgrid(*(jnp.arange(n) - middle for n in image.shape[:2]), indexing="ij")
    cos, sin = jnp.cos(turn), jnp.sin(turn)
    at = jnp.stack([cos * rows - sin * columns, sin * rows + cos * columns]) + middle
    at = jnp.clip(at, 0, image.shape[0] - 1)
    first = jnp.floor(at).astype(jnp.int32)
    second = jnp.minimum(first + 1, image.shape[0] - 1)
    down, across = (at - first)[..., None]
    upper = _between(image[first[0], first[1]], image[first[0], second[1]], across)
    lower = _between(image[second[0], first[1]], image[second[0], second[1]], across)
    return _between(upper, lower, down)


def _between(a: jax.Array, b: jax.Array, share: jax.Array) -> jax.Array:
    return a + share * (b - a)
