"""Random outlines (polygons, ellipses, blobs, stars, limbs) and their opacity maps."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Outline = npt.NDArray[np.floating]  # [n, 2], points (x, y) of a closed curve


def ellipse(rng: np.random.Generator) -> Outline:
    """Draws the outline of an ellipse: points float [n, 2] in -1..1.

    outline = ellipse(np.random.default_rng(0))
    """
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([np.cos(angle), rng.uniform(0.35, 1.0) * np.sin(angle)], 1)


def polygon(rng: np.random.Generator) -> Outline:
    """Draws the outline of a star-shaped polygon with 3 to 8 corners.

    outline = polygon(np.random.default_rng(0))
    """
    corners = rng.integers(3, 9)
    angle = np.sort((np.arange(corners) + rng.uniform(-0.35, 0.35, corners)) / corners * 2 * np.pi)
    radius = rng.uniform(0.5, 1.0, corners)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def blob(rng: np.random.Generator) -> Outline:
    """Draws a smooth closed curve: a circle with random low harmonics.

    outline = blob(np.random.default_rng(0))
    """
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = np.ones_like(angle)
    for order in range(2, 7):
        radius += rng.normal(0, 0.5 / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    radius = np.maximum(radius, 0.25)
    return np.stack([radius * np.cos(angle), rng.uniform(0.5, 1.0) * radius * np.sin(angle)], 1)


def star(rng: np.random.Generator) -> Outline:
    """Draws the outline of a star with 4 to 9 rays.

    outline = star(np.random.default_rng(0))
    """
    rays = rng.integers(4, 10)
    angle = np.arange(2 * rays) / (2 * rays) * 2 * np.pi
    radius = np.where(np.arange(2 * rays) % 2, rng.uniform(0.35, 0.75), 1.0)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def limb(rng: np.random.Generator) -> Outline:
    """Draws the outline of a limb: a long rounded shape along x, thicker at its left end.

    outline = limb(np.random.default_rng(0))
    """
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    thick = rng.uniform(0.15, 0.32)
    return np.stack([np.cos(angle), thick * (1 - 0.35 * np.cos(angle)) * np.sin(angle)], 1)


OUTLINES: tuple[Callable[[np.random.Generator], Outline], ...] = (
    ellipse,
    polygon,
    blob,
    blob,
    star,
)


def opacity(points: Outline, side: int) -> npt.NDArray[np.uint8]:
    """Fills an outline, float [n, 2], with soft edges: uint8 [h, w], 255 inside.

        alpha = opacity(star(rng), 120)

    The longer side of the map is `side` pixels, with a margin of 4 pixels at each end.
    """
    low, high = points.min(0), points.max(0)
    scale = (side - 8) / (high - low).max()
    at = (points - low) * scale + 4
    width, height = np.ceil((high - low) * scale).astype(int) + 8
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.round(at * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return canvas
