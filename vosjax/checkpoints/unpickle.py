"""A machine for the pickles of PyTorch checkpoints that builds data and cannot run code.

It interprets the opcodes itself instead of using `pickle.Unpickler`: a global in the stream becomes
a token of a fixed table, REDUCE looks its token up there, and nothing from the stream is ever
imported or called. Unknown globals and opcodes are refused by name.
"""

import pickletools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

from vosjax.errors import InputError

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


class Global:
    """A global that the stream names: a token, with what REDUCE may do with it."""

    __slots__ = ("name", "build", "value")

    def __init__(self, name: str, build: Callable | None = None, value: Any = None):
        self.name, self.build, self.value = name, build, value


def unpickle(file: BinaryIO, *, known: dict[str, Global], load: Callable[[tuple], Any]) -> Any:
    """Reads one pickle from `file`, up to and including its STOP.

    Args:
        file: a binary file, read from where it stands to the end of the pickle.
        known: {'module.name': token} of all globals that may occur.
        load: what a persistent id (a tuple) stands for.

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

    def __init__(self, known, load):
        self.known, self.load = known, load
        self.stack, self.memo = [], {}

    def pop(self):
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value is expected")
        return value

    def above_mark(self) -> list:
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                values = self.stack[at + 1 :]
                del self.stack[at:]
                return values
        raise ValueError("no mark on the stack")

    def run(self, name: str, arg):
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

    def do_PROTO(self, arg):
        pass

    def do_FRAME(self, arg):
        pass

    def do_MARK(self, arg):
        self.stack.append(_MARK)

    def do_POP(self, arg):
        self.stack.pop()

    def do_POP_MARK(self, arg):
        self.above_mark()

    def do_DUP(self, arg):
        self.stack.append(self.stack[-1])

    def do_TUPLE(self, arg):
        self.stack.append(tuple(self.above_mark()))

    def do_TUPLE1(self, arg):
        self.stack.append((self.pop(),))

    def do_TUPLE2(self, arg):
        b, a = self.pop(), self.pop()
        self.stack.append((a, b))

    def do_TUPLE3(self, arg):
        c, b, a = self.pop(), self.pop(), self.pop()
        self.stack.append((a, b, c))

    def do_LIST(self, arg):
        self.stack.append(self.above_mark())

    def do_DICT(self, arg):
        values = self.above_mark()
        self.stack.append(_pairs(values))

    def do_APPEND(self, arg):
        value = self.pop()
        _only(self.stack[-1], list).append(value)

    def do_APPENDS(self, arg):
        values = self.above_mark()
        _only(self.stack[-1], list).extend(values)

    def do_ADDITEMS(self, arg):
        values = self.above_mark()
        _only(self.stack[-1], set).update(plain_key(value) for value in values)

    def do_SETITEM(self, arg):
        value, key = self.pop(), self.pop()
        _only(self.stack[-1], dict, OrderedDict)[plain_key(key)] = value

    def do_SETITEMS(self, arg):
        values = self.above_mark()
        _only(self.stack[-1], dict, OrderedDict).update(_pairs(values))

    def do_PUT(self, arg):
        self.memo[arg] = self.stack[-1]

    do_BINPUT = do_LONG_BINPUT = do_PUT

    def do_MEMOIZE(self, arg):
        self.memo[len(self.memo)] = self.stack[-1]

    def do_GET(self, arg):
        self.stack.append(self.memo[arg])

    do_BINGET = do_LONG_BINGET = do_GET

    def do_GLOBAL(self, arg):
        module, _, name = arg.partition(" ")
        self.stack.append(self.find(module, name))

    def do_STACK_GLOBAL(self, arg):
        name, module = self.pop(), self.pop()
        self.stack.append(self.find(_only(module, str), _only(name, str)))

    def find(self, module: str, name: str) -> Global:
        token = self.known.get(f"{module}.{name}")
        if token is None:
            raise InputError(
                f"it names the global {module}.{name}, which is refused: {_hint(module)}"
            )
        return token

    def do_BINPERSID(self, arg):
        self.stack.append(self.load(_only(self.pop(), tuple)))

    def do_REDUCE(self, arg):
        args, token = _only(self.pop(), tuple), _only(self.pop(), Global)
        if token.build is None:
            raise ValueError(f"{token.name} cannot be called")
        self.stack.append(token.build(*args))

    def do_BUILD(self, arg):
        # A module's state_dict carries its `_metadata` this way; nobody needs it.
        self.pop()
        _only(self.stack[-1], OrderedDict)


def _only(value, *types):
    """`value`, if it is of exactly one of the types."""
    if type(value) not in types:
        raise TypeError(f"{type(value).__name__} where {types[0].__name__} is expected")
    return value


def plain_key(key):
    """`key`, if it can be hashed without depth: nested tuples could overflow the C stack."""
    return _only(key, str, int, float, bool, bytes, type(None))


def _pairs(values: list) -> dict:
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
