"""A machine for the pickles of PyTorch checkpoints that builds data and cannot run code.

It interprets the opcodes itself instead of using `pickle.Unpickler`: a global in the stream becomes
a token of a fixed table, REDUCE looks its token up there, and nothing from the stream is ever
imported or called. Unknown globals and opcodes are refused by name. Objects of a few training
frameworks, which stand beside the weights in their checkpoints, become an `Inert` without content.
"""

import pickletools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

import numpy as np

from vosjax.errors import InputError

# What may be a key of a dict or a member of a set.
Key = str | int | float | bytes | None
_T = TypeVar("_T")

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "LONG4",
    "BINFLOAT",
    "INT",
    "LONG",
    "FLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "UNICODE",
    "BINSTRING",
    "SHORT_BINSTRING",
    "STRING",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": set, "EMPTY_TUPLE": tuple}
_MARK = object()
_INERT = ("ltr.",)  # packages whose objects are passed over: pytracking's (constructor, settings)


class Global:
    """A global that the stream names: a token, with what REDUCE may do with it.

    name   without its module
    build  what makes the object of REDUCE's arguments; None: it cannot be called
    value  of a class of storages the dtype of its elements
    inert  whether its objects become an `Inert`
    """

    __slots__ = ("name", "build", "value", "inert")

    def __init__(
        self,
        name: str,
        build: Callable[..., object] | None = None,
        value: np.dtype[Any] | None = None,
        inert: bool = False,
    ) -> None:
        self.name, self.build, self.value, self.inert = name, build, value, inert


class Inert:
    """What stands for an object of a training framework: its class's name, and nothing else."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def unpickle(
    file: BinaryIO, *, known: dict[str, Global], load: Callable[[tuple[Any, ...]], object]
) -> Any:
    """Reads one pickle from `file`, up to and including its STOP.

        step = unpickle(io.BytesIO(pickle.dumps(3)), known={}, load=lambda key: None)       # 3

    Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py.

    Args:
        file: a binary file, read from where it stands to the end of the pickle.
        known: {'module.name': token} of all globals that may occur.
        load: what a persistent id (a tuple) stands for.

    Returns:
        The object: plain containers and numbers, and what `known` and `load` gave.

    Raises:
        InputError: an unknown global or opcode, a stream that ends early or makes no sense.
    """
    machine = _Machine(known, load)
    try:
        for opcode, arg, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.pop()
            machine.run(opcode.name, arg)
    except InputError:
        raise
    except (
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        AttributeError,
        UnicodeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise InputError(
            f"the pickle in it is damaged ({type(error).__name__}: {error})"
        ) from error
    raise InputError("the pickle in it ends early")


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, known: dict[str, Global], load: Callable[[tuple[Any, ...]], object]) -> None:
        self.known, self.load = known, load
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}

    def pop(self) -> object:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value is expected")
        return value

    def above_mark(self) -> list[object]:
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                values = self.stack[at + 1 :]
                del self.stack[at:]
                return values
        raise ValueError("no mark on the stack")

    def run(self, name: str, arg: object) -> None:
        if name in _LITERALS:
            self.stack.append(arg)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif (method := getattr(self, f"do_{name}", None)) is not None:
            method(arg)
        else:
            raise InputError(
                f"the pickle in it uses {name}, which no state dict needs: it is "
                "refused, as it may run code; save the plain state_dict"
            )

    def do_PROTO(self, arg: int) -> None:
        pass

    def do_FRAME(self, arg: int) -> None:
        pass

    def do_MARK(self, arg: None) -> None:
        self.stack.append(_MARK)

    def do_POP(self, arg: None) -> None:
        self.stack.pop()

    def do_POP_MARK(self, arg: None) -> None:
        self.above_mark()

    def do_DUP(self, arg: None) -> None:
        self.stack.append(self.stack[-1])

    def do_TUPLE(self, arg: None) -> None:
        self.stack.append(tuple(self.above_mark()))

    def do_TUPLE1(self, arg: None) -> None:
        self.stack.append((self.pop(),))

    def do_TUPLE2(self, arg: None) -> None:
        b, a = self.pop(), self.pop()
        self.stack.append((a, b))

    def do_TUPLE3(self, arg: None) -> None:
        c, b, a = self.pop(), self.pop(), self.pop()
        self.stack.append((a, b, c))

    def do_LIST(self, arg: None) -> None:
        self.stack.append(self.above_mark())

    def do_DICT(self, arg: None) -> None:
        values = self.above_mark()
        self.stack.append(_pairs(values))

    def do_APPEND(self, arg: None) -> None:
        value = self.pop()
        _only(self.stack[-1], list).append(value)

    def do_APPENDS(self, arg: None) -> None:
        values = self.above_mark()
        _only(self.stack[-1], list).extend(values)

    def do_ADDITEMS(self, arg: None) -> None:
        values = self.above_mark()
        _only(self.stack[-1], set).update(plain_key(value) for value in values)

    def do_SETITEM(self, arg: None) -> None:
        value, key = self.pop(), self.pop()
        _only(self.stack[-1], dict, OrderedDict)[plain_key(key)] = value

    def do_SETITEMS(self, arg: None) -> None:
        values = self.above_mark()
        _only(self.stack[-1], dict, OrderedDict).update(_pairs(values))

    def do_PUT(self, arg: int) -> None:
        self.memo[arg] = self.stack[-1]

    do_BINPUT = do_LONG_BINPUT = do_PUT

    def do_MEMOIZE(self, arg: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def do_GET(self, arg: int) -> None:
        self.stack.append(self.memo[arg])

    do_BINGET = do_LONG_BINGET = do_GET

    def do_GLOBAL(self, arg: str) -> None:
        module, _, name = arg.partition(" ")
        self.stack.append(self.find(module, name))

    def do_STACK_GLOBAL(self, arg: None) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(self.find(_only(module, str), _only(name, str)))

    def find(self, module: str, name: str) -> Global:
        token = self.known.get(f"{module}.{name}")
        if token is None and f"{module}.".startswith(_INERT):
            return Global(name, lambda *args: Inert(name), inert=True)
        if token is None:
            raise InputError(
                f"it names the global {module}.{name}, which is refused: {_hint(module)}"
            )
        return token

    def do_BINPERSID(self, arg: None) -> None:
        self.stack.append(self.load(_only(self.pop(), tuple)))

    def do_REDUCE(self, arg: None) -> None:
        args, token = _only(self.pop(), tuple), _only(self.pop(), Global)
        if token.build is None:
            raise ValueError(f"{token.name} cannot be called")
        self.stack.append(token.build(*args))

    def do_NEWOBJ(self, arg: None) -> None:
        _, token = _only(self.pop(), tuple), _only(self.pop(), Global)
        if not token.inert:
            raise ValueError(f"an object of {token.name} cannot be made")
        self.stack.append(Inert(token.name))

    def do_BUILD(self, arg: None) -> None:
        # A module's state_dict carries its `_metadata` this way; nobody needs it.
        self.pop()
        _only(self.stack[-1], OrderedDict, Inert)


def _only(value: object, *types: type[_T]) -> _T:
    """`value`, if it is of exactly one of the types."""
    for kind in types:
        if type(value) is kind:
            return value
    raise TypeError(f"{type(value).__name__} where {types[0].__name__} is expected")


def plain_key(key: object) -> Key:
    """`key`, if it can be hashed without depth: nested tuples could overflow the C stack.

        plain_key("state_dict")     # 'state_dict'

    Raises:
        TypeError: it is of another type than the plain ones.
    """
    return _only(key, str, int, float, bool, bytes, type(None))


def _pairs(values: list[object]) -> dict[Key, object]:
    return {plain_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _hint(module: str) -> str:
    if module.startswith("__torch__"):
        return "this is a TorchScript archive; save the state_dict of the model instead"
    if module.startswith(("torch.nn", "__main__", "networks", "model", "lib")):
        return (
            "a whole module was pickled, which holds code; save its state_dict: "
            "torch.save(model.state_dict(), path)"
        )
    return "only tensors and plain containers are read, as anything else may run code"
