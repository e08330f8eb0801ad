"""Random textures uint8 [h, w, 3]: clouds, stripes, checks, spots, gradients, landscapes."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data.synthetic.motion import HeightWidth
from vosjax.datasets.decode import Picture

Pattern = npt.NDArray[np.floating]  # [h, w], values in 0..1


def fractal(
    rng: np.random.Generator,
    size: HeightWidth,
    *,
    roughness: float | None = None,
    coarsest: int = 3,
) -> npt.NDArray[np.float32]:
    """Draws fractal noise, float32 [h, w] in 0..1: a sum of octaves with decreasing weights.

        fractal(rng, (240, 432), roughness=0.5)

    Args:
        rng: draws the noise.
        size: (h, w) of the map.
        roughness: ratio of the weights of two consecutive octaves; None draws it from 0.45..0.8.
        coarsest: number of cells of the first octave along the longer side.
    """
    height, width = size
    roughness = rng.uniform(0.45, 0.8) if roughness is None else roughness
    total = np.zeros(size, np.float32)
    cells, weight = coarsest, 1.0
    while cells < max(size) and weight > 0.03:
        grid = rng.random(
            (cells * height // max(size) + 2, cells * width // max(size) + 2), np.float32
        )
        smooth = cv2.INTER_CUBIC if cells < 24 else cv2.INTER_LINEAR  # no difference when fine
        total += np.float32(weight) * cv2.resize(grid, (width, height), interpolation=smooth)
        cells, weight = cells * 2, weight * roughness
    low, high = total.min(), total.max()
    return (total - low) / max(float(high - low), 1e-6)


def palette(rng: np.random.Generator, colours: int) -> npt.NDArray[np.uint8]:
    """Draws a colour table, uint8 [256, 3], that runs smoothly through similar random colours.

    table = palette(rng, colours=5)
    """
    light = rng.uniform(40, 215) + rng.normal(0, rng.choice([20.0, 50.0, 90.0]), (colours, 1))
    hue = rng.normal(0, rng.choice([12.0, 30.0, 60.0]), 3) + rng.normal(
        0, rng.choice([5.0, 20.0, 50.0]), (colours, 3)
    )
    anchors = np.clip(light + hue, 0, 255)
    at = np.linspace(0, 255, colours)
    return np.stack([np.interp(np.arange(256), at, anchors[:, i]) for i in range(3)], 1).astype(
        np.uint8
    )


def _along(rng: np.random.Generator, size: HeightWidth) -> npt.NDArray[np.float32]:
    """Draws a direction and returns the distance along it in pixels, float32 [h, w]."""
    angle = rng.uniform(0, np.pi)
    rows, columns = np.ogrid[: size[0], : size[1]]
    return (np.cos(angle) * columns + np.sin(angle) * rows).astype(np.float32)


def clouds(rng: np.random.Generator, size: HeightWidth) -> Pattern:
    """Draws fractal noise, float32 [h, w] in 0..1.

    value = clouds(rng, (64, 64))
    """
    return fractal(rng, size)


def stripes(rng: np.random.Generator, size: HeightWidth) -> Pattern:
    """Draws stripes, straight or wavy, sharp or soft: float [h, w] in 0..1.

    value = stripes(rng, (64, 64))
    """
    period = max(size) * np.exp(rng.uniform(np.log(0.04), np.log(0.35)))
    way = _along(rng, size) + rng.uniform(0, 0.6) * period * fractal(rng, size, roughness=0.4)
    wave = np.sin(2 * np.pi / period * way)
    return 0.5 + 0.5 * np.clip(wave * rng.choice([1.0, 4.0]), -1, 1)


def checks(rng: np.random.Generator, size: HeightWidth) -> Pattern:
    """Draws a rotated checkerboard: float32 [h, w] in 0..1.

    value = checks(rng, (64, 64))
    """
    period = max(size) * np.exp(rng.uniform(np.log(0.06), np.log(0.4)))
    angle = rng.uniform(0, np.pi)
    rows, columns = np.ogrid[: size[0], : size[1]]
    one = np.sin(2 * np.pi / period * (np.cos(angle) * columns + np.sin(angle) * rows))
    two = np.sin(2 * np.pi / period * (np.cos(angle) * rows - np.sin(angle) * columns))
    return (0.5 + 0.5 * np.clip(8 * one * two, -1, 1)).astype(np.float32)


def spots(rng: np.random.Generator, size: HeightWidth) -> Pattern:
    """Draws spots where smooth noise exceeds a level, like fur or camouflage: [h, w] in 0..1.

    value = spots(rng, (64, 64))
    """
    noise = fractal(rng, size, roughness=0.5, coarsest=int(rng.integers(4, 16)))
    return np.clip((noise - np.float32(rng.uniform(0.35, 0.65))) * 12 + 0.5, 0, 1)


def gradient(rng: np.random.Generator, size: HeightWidth) -> Pattern:
    """Draws a linear ramp in a random direction: float32 [h, w] in 0..1.

    value = gradient(rng, (64, 64))
    """
    way = _along(rng, size)
    return (way - way.min()) / max(float(way.max() - way.min()), 1e-6)


PATTERNS: tuple[Callable[[np.random.Generator, HeightWidth], Pattern], ...] = (
    clouds,
    clouds,
    stripes,
    checks,
    spots,
    gradient,
)


def texture(rng: np.random.Generator, size: HeightWidth) -> Picture:
    """Draws a texture, uint8 [h, w, 3]: a coloured pattern, rough and unevenly lit.

    image = texture(rng, (64, 64))
    """
    pattern = PATTERNS[rng.integers(len(PATTERNS))](rng, size)
    coloured = palette(rng, int(rng.integers(2, 5)))[
        (np.clip(pattern, 0, 1) * 255).astype(np.uint8)
    ]
    grain = rng.uniform(0.0, 0.35) * (fractal(rng, size, roughness=0.85, coarsest=8) - 0.5)
    light = rng.uniform(0.0, 0.5) * (fractal(rng, size, roughness=0.3, coarsest=2) - 0.5)
    factor = (1 + grain + light).astype(np.float32)
    return np.clip(coloured * factor[..., None], 0, 255).astype(np.uint8)


def shaded(rng: np.random.Generator, image: Picture, alpha: npt.NDArray[np.uint8]) -> Picture:
    """Shades a picture, uint8 [h, w, 3], like a rounded body that is lit from one side.

        lit = shaded(rng, image, alpha)

    The outline of the body is that of the opacity `alpha`, uint8 [h, w].
    """
    height = cv2.GaussianBlur(
        alpha * np.float32(1 / 255), (0, 0), max(alpha.shape) * rng.uniform(0.06, 0.15)
    )
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * cv2.Sobel(height, -1, 1, 0) + np.sin(angle) * cv2.Sobel(
        height, -1, 0, 1
    )
    steepest = max(float(np.abs(slope).max()), 1e-6)
    factor = 1 + np.float32(rng.uniform(0.2, 0.6) / steepest) * slope
    return np.clip(image * factor[..., None], 0, 255).astype(np.uint8)


def landscape(rng: np.random.Generator, size: HeightWidth) -> Picture:
    """Draws a background, uint8 [h, w, 3]: one to three textures that meet along noisy borders.

    image = landscape(rng, (240, 320))
    """
    image = texture(rng, size)
    for _ in range(rng.integers(0, 3)):
        border = fractal(rng, size, roughness=0.5)
        if rng.random() < 0.5:
            border = 0.3 * border + 0.7 * gradient(rng, size)
        weight = np.clip(
            (border - np.float32(rng.uniform(0.35, 0.65))) * rng.choice([6.0, 60.0]) + 0.5, 0, 1
        )
        weight = weight.astype(np.float32)
        image = cv2.blendLinear(texture(rng, size), image, weight, 1 - weight)
    return image
