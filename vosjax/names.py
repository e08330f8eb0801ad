"""Checkpoint names: the names of our weights in a reference's state dict, and their layouts there.

The `names.py` of a family lists a `Name` for each weight, made by the functions below. The
converter (`checkpoints/convert.py`) applies them strictly: no weight may be missing or left over.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Name(NamedTuple):
    """The name of one weight.

    path    its '/'-joined path in our params
    key     its key in the reference's state dict
    layout  a function from the reference's array to ours
    """

    path: str
    key: str
    layout: Callable[[np.ndarray], np.ndarray]


class Names(NamedTuple):
    """The names of all weights of a model.

    entries  a name for each weight
    ignored  regular expressions for other keys that a file may hold
    """

    entries: tuple[Name, ...]
    ignored: tuple[str, ...] = ()


def same(array: np.ndarray) -> np.ndarray:
    """Returns the array as it is: the layout of vectors and tables.

    same(np.ones(3))
    """
    return array


def conv_kernel(array: np.ndarray) -> np.ndarray:
    """Transposes [out, in/groups, kh, kw] to [kh, kw, in/groups, out], also if depthwise.

    conv_kernel(np.zeros((8, 3, 1, 1))).shape     # (1, 1, 3, 8)
    """
    return array.transpose(2, 3, 1, 0)


def linear_kernel(array: np.ndarray) -> np.ndarray:
    """Transposes [out, in] or [out, in, 1, 1] to [in, out].

    linear_kernel(np.zeros((8, 3))).shape     # (3, 8)
    """
    return array.reshape(array.shape[:2]).T


def conv(path: str, key: str, *, bias: bool = True) -> list[Name]:
    """Returns the names of a convolution: `path`/kernel, and `path`/bias if it has one.

    conv("head/conv", "decoder.conv", bias=False)
    """
    names = [Name(f"{path}/kernel", f"{key}.weight", conv_kernel)]
    return names + ([Name(f"{path}/bias", f"{key}.bias", same)] if bias else [])


def linear(path: str, key: str, *, bias: bool = True) -> list[Name]:
    """Returns the names of a linear layer, or of a 1x1 convolution that is applied as one.

    linear("head/fc", "decoder.fc")
    """
    names = [Name(f"{path}/kernel", f"{key}.weight", linear_kernel)]
    return names + ([Name(f"{path}/bias", f"{key}.bias", same)] if bias else [])


def norm(path: str, key: str) -> list[Name]:
    """Returns the names of a layer or group norm: scale and bias.

    norm("head/norm", "decoder.norm")
    """
    return [Name(f"{path}/scale", f"{key}.weight", same), Name(f"{path}/bias", f"{key}.bias", same)]


def frozen_norm(path: str, key: str) -> list[Name]:
    """Returns the names of a frozen batch norm: scale, bias, mean and variance.

    frozen_norm("stem/norm", "bn1")
    """
    return norm(path, key) + [
        Name(f"{path}/mean", f"{key}.running_mean", same),
        Name(f"{path}/var", f"{key}.running_var", same),
    ]
