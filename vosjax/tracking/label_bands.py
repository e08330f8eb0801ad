"""How the kernel of `label_kernel` divides a frame into bands of rows, and whether it fits.

Apart from it, as every platform asks for it, and only TPUs need to import a kernel.
"""

import functools
from typing import NamedTuple

import numpy as np

from vosjax.layers.resize import bilinear_matrix

LANES = 128
SUBLANES = 8
ROWS = 16  # rows of the user's frame in a band
ON_CHIP = 13 * 2**20  # most bytes that a step may take by this count, of 16 MB
MAPS = 4  # arrays of all slots of a band that are there at a time


class Bands(NamedTuple):
    """The bands of a frame, and what they need of the probabilities at the network's size.

    rows      rows of a block of the probabilities; a band needs two blocks
    columns   columns of a tile of the user's frame
    first     int32 [bands], the first block of each band
    weights   float32 [bands, ROWS, 2 * rows], the weights of these rows in the band's
    """

    rows: int
    columns: int
    first: np.ndarray
    weights: np.ndarray

    @property
    def refetched(self) -> float:
        """How often a row of the probabilities is fetched for a tile, on average."""
        changes = 1 + int(np.count_nonzero(np.diff(self.first)))
        return 2 * changes / (int(self.first[-1]) + 2)


def fits(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether the kernel takes probabilities of a shape [N+1, h, w] to the user's size (H, W).

    fits((11, 481, 849), (480, 854))      # True
    """
    if size[0] < ROWS or size[1] < LANES or min(shape[1:]) < SUBLANES:
        return False
    bands = bands_of(shape, size)
    if bands.rows > shape[1]:
        return False
    slots, wide = shape[0], -(-shape[2] // LANES) * LANES
    fetched = 2 * 2 * slots * bands.rows * wide
    narrowed = 2 * slots * ROWS * wide
    columns = 2 * shape[2] * bands.columns * (shape[2] != size[1])
    maps = MAPS * slots * ROWS * bands.columns
    return 4 * (fetched + narrowed + columns + maps) <= ON_CHIP


@functools.lru_cache(maxsize=16)
def bands_of(shape: tuple[int, ...], size: tuple[int, int]) -> Bands:
    """Divides a frame into bands.

        bands_of((11, 481, 849), (480, 854)).rows      # 16

    Args:
        shape: that of the probabilities, [N+1, h, w].
        size: (H, W) of the user's frame.
    """
    matrix = bilinear_matrix(shape[1], size[0])
    lows, highs = [], []
    for top in range(0, size[0], ROWS):
        (needed,) = np.nonzero(matrix[top : top + ROWS].any(0))
        lows.append(int(needed[0]))
        highs.append(int(needed[-1]))
    rows = SUBLANES
    while any(high >= (low // rows + 2) * rows for low, high in zip(lows, highs)):
        rows += SUBLANES
    first = np.array([low // rows for low in lows], np.int32)
    weights = np.zeros((len(first), ROWS, 2 * rows), np.float32)
    for band, block in enumerate(first):
        part = matrix[band * ROWS : (band + 1) * ROWS, block * rows : (block + 2) * rows]
        weights[band, : part.shape[0], : part.shape[1]] = part
    columns, tiles = size[1], 1
    while shape[2] != size[1] and 2 * 4 * shape[2] * columns > ON_CHIP // 2 and columns > LANES:
        tiles += 1
        columns = -(-size[1] // (tiles * LANES)) * LANES
    return Bands(rows, columns, first, weights)
