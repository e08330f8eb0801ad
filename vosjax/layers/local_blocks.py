"""What the window attention's kernel for TPUs takes to the chip at a time, and whether it fits.

Apart from `local_kernel`, as every platform asks for it, and only TPUs need to import a kernel.
"""

import jax

LANES = 128
SUBLANES = 16  # rows of a tile of bfloat16
ROWS = 8  # rows of queries of a step
GROUP = 256  # most channels of a value that a step reads, if there is one head
ON_CHIP = 15 * 2**20  # most bytes that a step may take, of 16 MB
TEMPORARIES = 6  # arrays of the size of a row's logits that are there at a time


def fits(query: jax.Array, value: jax.Array, side: int, *, offsets: bool) -> bool:
    """Whether the kernel's blocks fit on the chip: not for maps of more than about 120 columns.

    fits(query, value, 15, offsets=True)      # arrays [h, w, heads, C] and [h, w, heads, D]
    """
    band, columns = padded_sides(query.shape[1], side)
    group = group_of(value)
    size, wide = value.dtype.itemsize, query.shape[2] * query.shape[3]
    fetched = (ROWS + side - 1) * band * (wide + group) * size
    tables = 2 * side * band * (wide + offsets * value.shape[2] * value.shape[3]) * size
    blocks = 2 * ROWS * columns * (wide + group) * size
    return fetched + tables + blocks + TEMPORARIES * columns * side * band * 4 <= ON_CHIP


def padded_sides(width: int, side: int) -> tuple[int, int]:
    """Returns the columns of a row of keys in its band, and those of a row of queries."""
    band = -(-(width + side // 2) // LANES) * LANES
    return band, -(-width // SUBLANES) * SUBLANES


def group_of(value: jax.Array) -> int:
    """Returns the channels of values that a step reads."""
    heads, depth = value.shape[2:]
    return GROUP if heads == 1 and depth % GROUP == 0 else heads * depth
