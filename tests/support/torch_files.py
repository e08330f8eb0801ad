"""Writes files as `torch.save` does, zip and pre-1.6, with stand-ins for torch's classes."""

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from unittest import mock

import ml_dtypes
import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "bool": "BoolStorage",
    "uint8": "ByteStorage",
}
BF16 = ml_dtypes.bfloat16


class Storage:
    """A flat array that several tensors may share."""

    def __init__(self, key, data):
        self.key, self.data = key, np.asarray(data)


class Tensor:
    """A view of a storage; sizes and strides in elements."""

    def __init__(self, storage, offset, size, stride):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def __reduce_ex__(self, protocol):
        args = (self.storage, self.offset, self.size, self.stride, False, OrderedDict())
        return _stand_in("torch._utils", "_rebuild_tensor_v2"), args


class Parameter:
    """What nn.Parameter pickles as."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce_ex__(self, protocol):
        args = (self.tensor, True, OrderedDict())
        return _stand_in("torch._utils", "_rebuild_parameter"), args


class Metadata(OrderedDict):
    """An OrderedDict with an attribute, as `module.state_dict()` returns one."""

    def __reduce_ex__(self, protocol):
        return OrderedDict, (), {"_metadata": OrderedDict(version=1)}, None, iter(self.items())


def tensor(array, key):
    """A contiguous tensor of its own storage."""
    array = np.asarray(array)
    strides = tuple(s // array.itemsize for s in array.strides)
    return Tensor(Storage(key, array.reshape(-1)), 0, array.shape, strides)


def write_zip(path, obj, *, root="archive", protocol=2, leave_out=(), change=None, **zip_options):
    """The format of PyTorch 1.6 and later. `change(name, data) -> data` damages entries."""
    storages = {}
    pickled = _pickle(obj, storages, protocol, legacy=False)
    entries = {"data.pkl": pickled, "byteorder": b"little", "version": b"3\n"}
    entries |= {f"data/{key}": s.data.tobytes() for key, s in storages.items()}
    with zipfile.ZipFile(path, "w", **zip_options) as archive:
        for name, data in entries.items():
            if name not in leave_out:
                archive.writestr(f"{root}/{name}", change(name, data) if change else data)
    return path


def write_stream(path, obj, *, little_endian=True):
    """The format before 1.6."""
    storages = {}
    pickled = _pickle(obj, storages, 2, legacy=True)
    with open(path, "wb") as file:
        pickle.dump(MAGIC, file, protocol=2)
        pickle.dump(1001, file, protocol=2)
        pickle.dump(
            {
                "protocol_version": 1001,
                "little_endian": little_endian,
                "type_sizes": {"short": 2, "int": 4, "long": 4},
            },
            file,
            protocol=2,
        )
        file.write(pickled)
        pickle.dump(sorted(storages), file, protocol=2)
        for key in sorted(storages):
            data = storages[key].data
            file.write(struct.pack("<q", data.size) + data.tobytes())
    return path


def _stand_in(module, name):
    return getattr(sys.modules[module], name)


def _pickle(obj, storages, protocol, *, legacy):
    torch, rebuild = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch._utils = rebuild
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
        function = types.FunctionType((lambda *args: None).__code__, {}, name)
        function.__module__, function.__qualname__ = "torch._utils", name
        setattr(rebuild, name, function)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if not isinstance(value, Storage):
                return None
            storages[value.key] = value
            kind = getattr(torch, STORAGES[value.data.dtype.name])
            pid = ("storage", kind, value.key, "cpu", value.data.size)
            return (*pid, None) if legacy else pid

    buffer = io.BytesIO()
    with mock.patch.dict(sys.modules, {"torch": torch, "torch._utils": rebuild}):
        Pickler(buffer, protocol=protocol).dump(obj)
    return buffer.getvalue()
