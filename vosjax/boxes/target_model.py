"""DiMP's target model: a filter that scores where the object is, fitted by steepest descent.

Bhat et al., "Learning Discriminative Model Prediction for Tracking" (ICCV 2019), section 3. The
filter is correlated with features; the scores should follow a label that depends on the distance to
the object's centre, more strictly near the object than far from it. Label, strictness and weight
are learned functions of that distance. The model needs features and nothing else that is trained:
`initial_params` has the functions that training starts with.

Letters: n samples, h, w the grid of their features, C channels, k the filter's side, H, W the grid
of scores (one larger than that of the features for an even filter).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.types import Array

BINS, BIN = 100, 0.1  # number of distance bins, and their spacing in cells of the grid
SIGMA = 0.9  # of the first label, in cells: a quarter of the object in a crop of 5 times its side
LEAST_REGULARISATION = 1e-3
FLOOR = 1e-8  # of the divisor of a step's length
NORM_FLOOR = 1e-5  # added to the sum of squares of an image's features


class Samples(NamedTuple):
    """What the filter is fitted to.

    features  float32 [n, h, w, C]
    centres   float32 [n, 2], the object's centre (row, column) in cells of the score grid
    weights   float32 [n], their sum is 1; a sample of weight 0 does not count
    """

    features: jax.Array
    centres: jax.Array
    weights: jax.Array


class TargetMaps(NamedTuple):
    """What the scores of the samples should be, each [n, H, W].

    label   the score that is wanted
    mask    0..1: at 1 every deviation counts, at 0 positive scores count alone
    weight  factor of the deviation
    """

    label: jax.Array
    mask: jax.Array
    weight: jax.Array


def initial_params() -> dict[str, jax.Array]:
    """Returns the weights with which DiMP's training starts; they serve any features.

        params = initial_params()

    Returns:
        `label`, `mask` and `weight`, values [100] at distances of 0, 0.1, ... cells; `log_step` and
        `regularisation` [1].
    """
    distance = BIN * jnp.arange(BINS)
    label = jnp.exp(-(distance**2) / (2 * SIGMA**2))
    return {
        "label": label - label.min(),
        "mask": 3 * jnp.tanh(2 - distance),
        "weight": jnp.ones(BINS),
        "log_step": jnp.log(jnp.full(1, 0.9)),
        "regularisation": jnp.full(1, 0.1),
    }


def instance_norm(features: jax.Array, side: int) -> jax.Array:
    """Scales the features of every image to one mean square, so that filters of any network fit.

        features = instance_norm(features, 4)

    Args:
        features: float32 [..., h, w, C].
        side: the filter's k; the mean square becomes 1 / (k * k * C).
    """
    shape = features.shape[-3:]
    squares = jnp.sum(features**2, (-3, -2, -1), keepdims=True)
    size = shape[0] * shape[1] * shape[2]
    return features * jnp.sqrt(size / (side * side * shape[2]) / (squares + NORM_FLOOR))


def centres_of(boxes: jax.Array, side: int, *, stride: float, origin: float = 0.0) -> jax.Array:
    """Converts the centres of boxes from pixels of a crop to cells of the score grid.

        centres = centres_of(jnp.array([[64.0, 64.0, 32.0, 32.0]]), 4, stride=16)      # [[5, 5]]

    Args:
        boxes: float32 [n, 4], (x, y, w, h) in pixels.
        side: the filter's k; an odd filter has no score between two cells.
        stride: pixels per cell.
        origin: cell of the feature grid, for an even filter of the score grid, at pixel 0.

    Returns:
        float32 [n, 2], (row, column).
    """
    middle = boxes[:, 1::-1] + boxes[:, :1:-1] / 2
    return middle / stride + (origin - (side % 2) / 2)


def correlate(features: jax.Array, target_filter: jax.Array) -> jax.Array:
    """Computes the scores of a filter at all places: cross-correlation with padding k // 2.

        scores = correlate(features, target_filter)

    With one output, k * k products of every cell and the sum of their shifted planes take less
    memory than a convolution, and so does the transpose.

    Args:
        features: [n, h, w, C].
        target_filter: [k, k, C].

    Returns:
        [n, H, W], where H = h + 1 - k % 2, and W likewise.
    """
    side = target_filter.shape[0]
    pad = side // 2
    rows, columns = (length + 2 * pad - side + 1 for length in features.shape[1:3])
    exact = jax.lax.Precision.HIGHEST
    planes = jnp.einsum("nhwc,ijc->ijnhw", features, target_filter, precision=exact)
    planes = jnp.pad(planes, ((0, 0),) * 3 + ((pad, pad),) * 2)
    total = jnp.zeros((features.shape[0], rows, columns), planes.dtype)
    for i in range(side):
        for j in range(side):
            total += planes[i, j, :, i : i + rows, j : j + columns]
    return total


def target_maps(params: Any, centres: jax.Array, size: tuple[int, int]) -> TargetMaps:
    """Evaluates the learned functions of the distance to the object's centre at every score.

        maps = target_maps(params, centres, (19, 19))

    A function is linear between bins, and constant beyond the last one.

    Args:
        params: as of `initial_params`.
        centres: [n, 2], (row, column) in cells.
        size: (H, W) of the score grid.
    """
    rows, columns = (jnp.arange(length, dtype=jnp.float32) for length in size)
    down = rows[None, :, None] - centres[:, 0, None, None]
    across = columns[None, None, :] - centres[:, 1, None, None]
    bins = jnp.clip(jnp.sqrt(down**2 + across**2) / BIN, 0, BINS - 1)
    lower = jnp.minimum(bins.astype(jnp.int32), BINS - 2)
    share = bins - lower

    def at(values: jax.Array) -> jax.Array:
        return (1 - share) * values[lower] + share * values[lower + 1]

    return TargetMaps(at(params["label"]), jax.nn.sigmoid(at(params["mask"])), at(params["weight"]))


def descend(
    params: Any, target_filter: jax.Array, samples: Samples, maps: TargetMaps
) -> tuple[jax.Array, jax.Array]:
    """Does one step of steepest descent, as long as the Gauss-Newton approximation advises.

        target_filter, loss = descend(params, target_filter, samples, maps)

    Equations 5 and 6 of the paper.

    Args:
        params: as of `initial_params`.
        target_filter: [k, k, C].
        samples: n samples.
        maps: their `target_maps`.

    Returns:
        The next filter, and the loss [] of the one before.
    """

    def scored(target_filter: jax.Array) -> jax.Array:
        return correlate(samples.features, target_filter)

    regularisation = _regularisation(params)
    scores, transpose = jax.vjp(scored, target_filter)
    factor = jnp.sqrt(samples.weights)[:, None, None] * maps.weight
    slope = (1 - maps.mask) / 2 * jnp.sign(scores) + (1 + maps.mask) / 2
    residual = factor * (slope * scores - maps.label)  # slope * scores: a leaky ReLU of the scores
    loss = jnp.sum(residual**2) + regularisation * jnp.sum(target_filter**2)
    (gradient,) = transpose(slope * factor * residual)
    gradient += regularisation * target_filter
    squared = jnp.sum(gradient**2)
    curvature = jnp.sum((factor * slope * scored(gradient)) ** 2) + regularisation * squared
    length = jnp.exp(params["log_step"][0]) * squared / jnp.maximum(curvature, FLOOR)
    return target_filter - length * gradient, loss


def _regularisation(params: Any) -> jax.Array:
    return jnp.maximum(params["regularisation"][0] ** 2, LEAST_REGULARISATION**2)


def _maps_of(params: Any, target_filter: jax.Array, samples: Samples) -> TargetMaps:
    grown = 1 - target_filter.shape[0] % 2
    height, width = samples.features.shape[1:3]
    return target_maps(params, samples.centres, (height + grown, width + grown))


def optimise(
    params: Any, target_filter: jax.Array, samples: Samples, iterations: int | jax.Array
) -> jax.Array:
    """Fits a filter to samples.

        target_filter = optimise(params, target_filter, samples, 10)

    Args:
        params: as of `initial_params`.
        target_filter: [k, k, C] to begin with; zeros will do.
        samples: n samples.
        iterations: number of steps, which may be traced.
    """
    maps = _maps_of(params, target_filter, samples)
    fitted: jax.Array = jax.lax.fori_loop(
        0, iterations, lambda _, f: descend(params, f, samples, maps)[0], target_filter
    )
    return fitted


def descent(
    params: Any, target_filter: jax.Array, samples: Samples, iterations: int
) -> tuple[jax.Array, jax.Array]:
    """Does the steps of `optimise` and returns every filter with its loss.

        filters, losses = descent(params, target_filter, samples, 5)

    Returns:
        [iterations + 1, k, k, C] and [iterations + 1], those of the first filter included.
    """
    maps = _maps_of(params, target_filter, samples)

    def step(current: jax.Array, _: None) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        following, loss = descend(params, current, samples, maps)
        return following, (current, loss)

    _, (filters, losses) = jax.lax.scan(step, target_filter, length=iterations + 1)
    return filters, losses


def equal_weights(count: int) -> Array:
    """Returns the weights [n] of n samples that count the same.

    equal_weights(4)      # [0.25, 0.25, 0.25, 0.25]
    """
    return jnp.full(count, 1 / count)
