"""Builds the tensors in PyTorch's pickles: views of storages, which are flat arrays of one type.

Everything that a file says of them is checked first, since it may come from a stranger.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import ml_dtypes
import numpy as np

from vosjax.checkpoints.unpickle import Global, Key, plain_key
from vosjax.errors import InputError

SHARING = 16  # tensors that share storages may have so many times the bytes of the file
_STORAGES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
    "ComplexFloatStorage": np.complex64,
    "ComplexDoubleStorage": np.complex128,
}


def tokens(most: int) -> dict[str, Global]:
    """Returns the globals that may occur in a checkpoint's pickle, {'module.name': token}.

        state = unpickle(file, known=tokens(most=1 << 20), load=load)

    They build what `torch._utils._rebuild_tensor_v2`, `_rebuild_parameter` and the like build.

    Args:
        most: size of the file in bytes, which bounds every size in it.
    """
    claimed = [0]

    # Their arguments come from the file and may be anything; whoever uses them checks them.
    def tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
        array = view(storage, offset, size, stride, most)
        claimed[0] += array.nbytes  # views of one storage cost nothing until they are copied
        if claimed[0] > SHARING * most:
            raise InputError(
                f"its tensors claim more than {SHARING} times the {most:,} bytes that it has: "
                "it is damaged or made to fill the memory"
            )
        return array

    def parameter(data: Any, *_: Any) -> np.ndarray:
        if not isinstance(data, np.ndarray):
            raise InputError("the pickle in it is damaged: a parameter without a tensor")
        return data

    def ordered(*args: Any) -> OrderedDict[Key, Any]:
        if not args:
            return OrderedDict()
        (items,) = args
        return OrderedDict((plain_key(key), value) for key, value in items)

    def shape(values: Iterable[Any]) -> tuple[int, ...]:
        return tuple(int(v) for v in values)

    known = {
        f"torch.{name}": Global(name, value=np.dtype(dtype)) for name, dtype in _STORAGES.items()
    }
    builders: tuple[tuple[str, Callable[..., object]], ...] = (
        ("torch._utils._rebuild_tensor_v2", tensor),
        ("torch._utils._rebuild_tensor", tensor),
        ("torch._utils._rebuild_parameter", parameter),
        ("collections.OrderedDict", ordered),
        ("torch.Size", shape),
    )
    for name, build in builders:
        known[name] = Global(name, build)
    return known


def view(storage: Any, offset: Any, size: Any, stride: Any, most: int) -> np.ndarray:
    """Returns a strided view of a storage: a tensor.

        view(np.arange(6.0), 0, (2, 3), (3, 1), most=48)       # [[0, 1, 2], [3, 4, 5]]

    Args:
        storage: array [K] of one dtype.
        offset: index of the first element.
        size: shape of the tensor.
        stride: stride of each axis, in elements.
        most: the largest allowed number of elements.

    Raises:
        InputError: it is not a storage, has no such shape, or the view reaches beyond it.
    """
    numbers = (offset, *size, *stride)
    if (
        not isinstance(storage, np.ndarray)
        or len(size) != len(stride)
        or len(size) > 32
        or any(type(n) is not int or n < 0 for n in numbers)
    ):
        raise InputError("the pickle in it is damaged: a tensor of impossible shape")
    count = math.prod(size)
    last = offset + sum((n - 1) * s for n, s in zip(size, stride)) if count else offset
    if last >= len(storage) + (count == 0) or count > most:
        raise InputError(
            f"a tensor of shape {list(size)}, stride {list(stride)} at {offset} "
            f"reaches beyond its storage of {len(storage)} elements: the file is "
            "damaged"
        )
    step = storage.dtype.itemsize
    return np.lib.stride_tricks.as_strided(
        storage[offset:], tuple(size), tuple(s * step for s in stride)
    )


def storage_id(pid: tuple[Any, ...], most: int) -> tuple[np.dtype, str, int]:
    """Returns (dtype, key, number of elements) of a persistent id of `torch.serialization`.

        storage_id(("storage", known["torch.FloatStorage"], "0", "cpu", 3), most=12)

    Args:
        pid: ('storage', token of its class, key, device, number of elements, ...).
        most: the largest allowed size of a storage in bytes.

    Raises:
        InputError: the id is anything else, or the storage is larger than the file.
    """
    if len(pid) < 5 or pid[0] != "storage":
        what = pid[0] if pid and isinstance(pid[0], str) else "something else"
        raise InputError(
            f"it holds a {what} where a storage is expected: a whole module was "
            "pickled or the file is damaged; save the state_dict"
        )
    _, kind, key, _, count = pid[:5]
    if (
        not isinstance(kind, Global)
        or kind.value is None
        or not isinstance(key, str)
        or type(count) is not int
        or count < 0
    ):
        raise InputError("the pickle in it is damaged: a storage of unknown type or size")
    if count * kind.value.itemsize > most:
        raise InputError(
            f"a storage of {count} elements is larger than the file: it is truncated or damaged"
        )
    return kind.value, key, count
