"""Thin-plate-spline warps of single frames, by which STCN deforms its still images."""

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data.types import Labels
from vosjax.data.warp import FILL
from vosjax.datasets.decode import Picture

_CELL = 16  # pixels between the points at which the warp is computed; it is smooth in between

Points = npt.NDArray[np.float64]


def spline(points: Points, values: Points, at: Points) -> Points:
    """Evaluates the thin-plate spline that interpolates given values.

        spline(points, points + push, grid)

    The spline is an affine map plus a weighted sum of r^2 log r^2 over the distances r to the
    points. SciPy's `RBFInterpolator` gives the same figures, but refuses points that coincide
    ("Singular matrix"), as random ones may; least squares take the mean of their values.

    Args:
        points: float [C, 2], the control points.
        values: float [C, K], the values at the control points.
        at: float [..., 2], where the spline is evaluated.

    Returns:
        float [..., K], the values of the spline.
    """
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(points, points)
    system[:count, count:] = np.column_stack([np.ones(count), points])
    system[count:, :count] = system[:count, count:].T
    right = np.zeros((count + 3, values.shape[1]))
    right[:count] = values
    weights = np.linalg.lstsq(system, right, rcond=None)[0]  # points may coincide
    bent = _kernel(at, points) @ weights[:count]
    return bent + weights[count] + at @ weights[count + 1 :]


def _kernel(at: Points, points: Points) -> Points:
    squared = ((at[..., None, :] - points) ** 2).sum(-1)
    return squared * np.log(np.maximum(squared, 1e-12))


def bend(
    frame: Picture, labels: Labels, rng: np.random.Generator, *, controls: int, push: float
) -> tuple[Picture, Labels]:
    """Warps a frame and its labels by one random thin-plate spline.

        frame, labels = bend(frame, labels, rng, controls=12, push=0.02)

    Args:
        frame: uint8 [H, W, 3], RGB.
        labels: uint8 [H, W], the frame's labels.
        rng: draws the control points and their displacements.
        controls: number of control points.
        push: standard deviation of the displacements, relative to the frame's sides.

    Returns:
        The warped frame and labels, of the same shapes and dtypes.
    """
    height, width = labels.shape
    points = rng.uniform(0, 1, (controls, 2))
    pushed = points + push * rng.standard_normal(points.shape)
    rows, columns = -(-height // _CELL) + 1, -(-width // _CELL) + 1
    x, y = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    coarse = spline(points, pushed, np.stack([x, y], -1)).astype(np.float32)
    matrix = np.array([[(columns - 1) / (width - 1), 0, 0], [0, (rows - 1) / (height - 1), 0]])
    fine = cv2.warpAffine(
        coarse,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    fine *= np.array([width - 1, height - 1], np.float32)
    return (
        cv2.remap(frame, fine, None, cv2.INTER_LINEAR, borderValue=FILL),
        cv2.remap(labels, fine, None, cv2.INTER_NEAREST, borderValue=0),
    )
