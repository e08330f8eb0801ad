"""Checkpoint names: where our weights stand in a reference's state dict, and in which layout.

A family's `names.py` lists one `Name` for each of its weights, made by the helpers below; the
converter (`checkpoints/convert.py`) applies them strictly: nothing may be missing or left over.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Name(NamedTuple):
    """One weight.

    path    ours, '/'-joined
    key     the reference's
    layout  what makes our array of the reference's
    """

    path: str
    key: str
    layout: Callable[[np.ndarray], np.ndarray]


class Names(NamedTuple):
    """All weights of a model.

    entries  one for each weight
    ignored  regular expressions of the other keys that a file may hold
    """

    entries: tuple[Name, ...]
    ignored: tuple[str, ...] = ()


def same(array: np.ndarray) -> np.ndarray:
    """Vectors and tables, taken as they are."""
    return array


def conv_kernel(array: np.ndarray) -> np.ndarray:
    """[out, in/groups, kh, kw] -> [kh, kw, in/groups, out]; depthwise kernels likewise."""
    return array.transpose(2, 3, 1, 0)


def linear_kernel(array: np.ndarray) -> np.ndarray:
    """[out, in] or [out, in, 1, 1] -> [in, out]."""
    return array.reshape(array.shape[:2]).T


def conv(path: str, key: str, *, bias: bool = True) -> list[Name]:
    """A convolution: `path`/kernel and, where it has one, `path`/bias."""
    names = [Name(f"{path}/kernel", f"{key}.weight", conv_kernel)]
    return names + ([Name(f"{path}/bias", f"{key}.bias", same)] if bias else [])


def linear(path: str, key: str, *, bias: bool = True) -> list[Name]:
    """A linear layer or a 1x1 convolution that we apply as one."""
    names = [Name(f"{path}/kernel", f"{key}.weight", linear_kernel)]
    return names + ([Name(f"{path}/bias", f"{key}.bias", same)] if bias else [])


def norm(path: str, key: str) -> list[Name]:
    """Layer or group norm: scale and bias."""
    return [Name(f"{path}/scale", f"{key}.weight", same), Name(f"{path}/bias", f"{key}.bias", same)]


def frozen_norm(path: str, key: str) -> list[Name]:
    """Frozen batch norm: scale, bias and the two statistics."""
    return norm(path, key) + [
        Name(f"{path}/mean", f"{key}.running_mean", same),
        Name(f"{path}/var", f"{key}.running_var", same),
    ]
