"""Boundary refinement: the patches of a mask, on the host (BPR's `split_patches.py`).

A box of fixed size is centred on every pixel of the boundary, greedy non-maximum suppression (NMS)
thins the boxes out, and those that overlap the frame's border are moved inside. The reference
leaves the order of equal scores to an unstable sort; here it is row-major. `traced_boxes` does the
same within a compiled program.
"""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

PATCH = 64  # side of a patch, in pixels of the frame

Mask = np.ndarray[Any, Any]


def boundary_rank(mask: Mask) -> npt.NDArray[np.int8]:
    """Returns how evenly the 3x3 pixels around each pixel are divided: min(S, 9 - S), 0 to 4.

        boundary_rank(mask) / 4.5       # the reference's boundary score

    S is the number of the mask's pixels among the nine; outside of the frame there are none, so
    the frame's border is boundary where the object reaches it. Above 0 is the boundary.

    Args:
        mask: bool [H, W].

    Returns:
        int8 [H, W].
    """
    padded = np.pad(np.asarray(mask, bool).astype(np.int8), 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    total = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return np.minimum(total, 9 - total).astype(np.int8)


@functools.lru_cache(maxsize=8)
def suppressed(patch: int, threshold: float) -> npt.NDArray[np.bool_]:
    """Returns which displacements of one box against another give an IoU of at least `threshold`.

        suppressed(64, 0.25)[63 + dy, 63 + dx]      # is a box at (dx, dy) from a kept one dropped?

    All boxes have one size, so NMS suppresses the same square around every kept box.

    Args:
        patch: side S of the boxes in pixels.
        threshold: the IoU, above 0.

    Returns:
        bool [2 S - 1, 2 S - 1], row dy and column dx.
    """
    side = patch - np.abs(np.arange(1 - patch, patch))
    shared = np.outer(side, side).astype(np.float32)
    return shared / (2 * patch * patch - shared) >= np.float32(threshold)


def moved_inside(
    corner: npt.NDArray[np.int32], side: int, patch: int, reference_edges: bool
) -> npt.NDArray[np.int32]:
    """Moves boxes along one axis into the frame; gives the first row or column of each.

        moved_inside(np.array([-5, 300], np.int32), 320, 64, False)     # [0, 256]

    Args:
        corner: int32 [K], the first row or column of each box.
        side: the frame's height or width in pixels.
        patch: side of the boxes.
        reference_edges: end one pixel before the frame's border, as the reference does.
    """
    last = side - patch - reference_edges
    beyond = corner + patch >= side if reference_edges else corner > last
    # The reference looks at x2 >= W, so that a box which ends with the frame is moved as well.
    return np.where(corner < 0, 0, np.where(beyond, last, corner)).astype(np.int32)


def boundary_boxes(
    mask: Mask, *, threshold: float, patch: int = PATCH, reference_edges: bool = False
) -> npt.NDArray[np.int32]:
    """Returns the boxes of the patches along a mask's boundary.

        for x1, y1, x2, y2 in boundary_boxes(labels == 7, threshold=0.25):
            crop = frame[y1:y2, x1:x2]

    Args:
        mask: bool [H, W] of one object.
        threshold: NMS drops a box whose IoU with a kept one is at least this: 0.25 gives about one
            box per 53 pixels of boundary, 0.55 one per 24.
        patch: side of the boxes in pixels.
        reference_edges: True moves boxes inside as the reference does, whose boxes never cover the
            last row and column of the frame; False lets them end with the frame.

    Returns:
        int32 [K, 4]: x1, y1, x2, y2 with exclusive x2 and y2, in the order in which NMS keeps them
        (score descending, then row-major). Empty where the mask is empty or the frame has no room
        for a patch (the reference skips frames whose height or width is not above `patch`).
    """
    height, width = np.shape(mask)
    rank = boundary_rank(mask)
    if min(height, width) < patch + reference_edges:
        return np.zeros((0, 4), np.int32)
    rows, columns = np.nonzero(rank)
    order = np.argsort(-rank[rows, columns], kind="stable")
    rows, columns = rows[order].astype(np.int32), columns[order].astype(np.int32)
    # Distances are clipped to `patch`, where the table has a border of False.
    table = np.pad(suppressed(patch, threshold), 1)
    kept: list[tuple[int, int]] = []
    while rows.size:
        row, column = int(rows[0]), int(columns[0])
        kept.append((row, column))
        dy = np.clip(rows - row, -patch, patch) + patch
        dx = np.clip(columns - column, -patch, patch) + patch
        remaining = ~table[dy, dx]
        rows, columns = rows[remaining], columns[remaining]
    centres = np.array(kept, np.int32).reshape(-1, 2)
    y1 = moved_inside(centres[:, 0] - patch // 2, height, patch, reference_edges)
    x1 = moved_inside(centres[:, 1] - patch // 2, width, patch, reference_edges)
    return np.stack([x1, y1, x1 + patch, y1 + patch], 1).astype(np.int32)
