"""Operations of the products in an optimised program: convolutions and matrix products.

Two for each multiply. Positions in the padding, and those that a dilation leaves empty, are not
counted; a TPU's compiler writes many products as such convolutions.
"""

import math
import re

import numpy as np

from vosjax.ahead.hlo import Array, Instruction


def operations(product: Instruction, left: Array, right: Array) -> float:
    """Counts the operations of a `convolution` or a `dot`.

    Args:
        product: the instruction.
        left: the array of its first operand.
        right: that of its second operand, the kernel of a convolution.
    """
    result = product.arrays[0]
    if product.opcode == "dot":
        summed = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", product.attributes)
        axes = [int(axis) for axis in summed[1].split(",") if axis] if summed else []
        return 2.0 * result.elements * math.prod(left.sides[axis] for axis in axes)
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", product.attributes)
    if labels is None:
        return 0.0
    into, kernel, out = labels.groups()
    total = (
        2.0
        * result.sides[out.index("b")]
        * result.sides[out.index("f")]
        * right.sides[kernel.index("i")]
    )
    window = _window(product.attributes)
    for axis in sorted(set(out) - {"b", "f"}):
        place = int(axis)
        total *= _pairs(
            left.sides[into.index(axis)],
            right.sides[kernel.index(axis)],
            result.sides[out.index(axis)],
            stride=_side(window, "stride", place, 1),
            low=_side(window, "pad", place, 0),
            spread=_side(window, "lhs_dilate", place, 1),
            step=_side(window, "rhs_dilate", place, 1),
        )
    return total


def _window(attributes: str) -> dict[str, list[str]]:
    """Returns {word: its value on each axis} of an instruction's window."""
    window = re.search(r"window=\{([^}]*)\}", attributes)
    pairs = [item.partition("=") for item in window[1].split()] if window else []
    return {word: value.split("x") for word, _, value in pairs}


def _side(window: dict[str, list[str]], word: str, place: int, default: int) -> int:
    values = window.get(word)
    return int(values[place].split("_")[0]) if values else default


def _pairs(
    length: int, kernel: int, out: int, *, stride: int, low: int, spread: int, step: int
) -> int:
    """Counts the pairs (output, kernel position) of an axis that meet an element of the input."""
    if kernel == 1 and low == 0 and spread == 1:
        return out
    at = np.arange(out)[:, None] * stride - low + np.arange(kernel) * step
    return int(((at >= 0) & (at <= (length - 1) * spread) & (at % spread == 0)).sum())
