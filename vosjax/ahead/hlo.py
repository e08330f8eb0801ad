"""Reads the text of an optimised program (XLA's HLO) into instructions with their shapes."""

import math
import re
from typing import NamedTuple

BITS = {"pred": 8, "token": 0, "opaque": 0, "s4": 4, "u4": 4, "s2": 2, "u2": 2}
MAIN = 0  # the memory space that a layout has if it names none: a device's main memory

_ARRAY = re.compile(r"([a-z]\w*)\[([\d,<= ]*)\](?:\{([^{}]*)\})?")
_NAME = re.compile(r"%([\w.\-]+)")
_HEAD = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*-> .*\{\s*$")
_LINE = re.compile(r"\s+(ROOT )?%?([\w.\-]+) = ")
_WRAPPER = re.compile(r"p?jit\(.*\)|vmap\(.*\)|closed_call|branch_\d+_fun")  # of no scope's name
_COMMENT = re.compile(r"/\*.*?\*/")


class Array(NamedTuple):
    """The shape of an array, as it lies in memory.

    dtype   XLA's name: 'bf16', 'f32', 's32', 'pred'
    sides   length of each axis
    space   number of the memory: 0 is the main memory; 1 is a TPU's memory on the chip
    bytes   its size in that memory, with the padding of its tiles
    """

    dtype: str
    sides: tuple[int, ...]
    space: int
    bytes: float

    @property
    def elements(self) -> int:
        """Number of its elements, without padding."""
        return math.prod(self.sides)


class Instruction(NamedTuple):
    """One instruction.

    name        its name within its computation
    opcode      'fusion', 'convolution', 'while', ...
    arrays      the arrays of its result, one after the other where that is a tuple
    operands    names of the instructions whose results it takes
    arguments   the text between its parentheses
    attributes  the text after them
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    operands: tuple[str, ...]
    arguments: str
    attributes: str

    @property
    def bytes(self) -> float:
        """Size of its result."""
        return sum(array.bytes for array in self.arrays)

    @property
    def scope(self) -> str:
        """The named scopes and the operation that it comes from: 'encoder/dot_general'."""
        match = re.search(r'op_name="([^"]*)"', self.attributes)
        parts = match[1].split("/") if match else []
        return "/".join(part for part in parts if not _WRAPPER.fullmatch(part))

    def called(self, *words: str) -> list[str]:
        """Returns the names of the computations that it calls under any of some attributes."""
        found: list[str] = []
        for word in words:
            for match in re.finditer(rf"\b{word}=(\{{[^}}]*\}}|%?[\w.\-]+)", self.attributes):
                found += re.findall(r"[\w.\-]+", match[1].replace("%", " "))
        return found


class Computation(NamedTuple):
    """A computation: its instructions by name, in their order, and the name of its result."""

    instructions: dict[str, Instruction]
    root: str

    @property
    def result(self) -> Instruction:
        """The instruction whose result is the computation's."""
        return self.instructions[self.root]

    def parameters(self) -> list[Instruction]:
        """Returns the parameters in the order of their numbers."""
        found = [each for each in self.instructions.values() if each.opcode == "parameter"]
        return sorted(found, key=lambda parameter: int(parameter.arguments))

    def users(self, name: str) -> list[Instruction]:
        """Returns the instructions that take an instruction's result."""
        return [each for each in self.instructions.values() if name in each.operands]


class Program(NamedTuple):
    """A program: its computations by name, and the name of the one that is run."""

    computations: dict[str, Computation]
    entry: str


def parsed(text: str) -> Program:
    """Reads the text of an optimised program.

        parsed(jax.jit(f).lower(x).compile().as_text()).entry

    Args:
        text: what `jax.stages.Compiled.as_text` returns.
    """
    computations: dict[str, Computation] = {}
    entry, name, root, instructions = "", "", "", dict[str, Instruction]()
    for line in text.splitlines():
        if head := _HEAD.match(line):
            name, root, instructions = head[2], "", {}
            entry = name if head[1] else entry
        elif line.startswith("}") and name:
            computations[name] = Computation(instructions, root or next(reversed(instructions)))
            name = ""
        elif name and (begin := _LINE.match(line)):
            instructions[begin[2]] = _instruction(begin[2], line[begin.end() :])
            root = begin[2] if begin[1] else root
    return Program(computations, entry)


def array(dtype: str, sides: str, layout: str = "") -> Array:
    """Returns an array of HLO's text.

    array("bf16", "480,3", "1,0:T(8,128)(2,1)S(1)")      # bytes = 2 * 480 * 128
    """
    lengths = tuple(int(side.lstrip("<= ")) for side in sides.split(",") if side.strip())
    order, _, tiles = layout.partition(":")
    space = re.search(r"S\((\d+)\)", tiles)
    padded = list(lengths)
    tile = re.search(r"T\(([\d,]+)\)", tiles)
    minor = [int(axis) for axis in order.split(",") if axis.strip()]
    if tile and minor:
        for axis, side in zip(minor, reversed(tile[1].split(","))):
            padded[axis] = -(-padded[axis] // int(side)) * int(side)
    digits = re.search(r"\d+", dtype)
    bits = BITS.get(dtype, int(digits[0]) if digits else 0)
    return Array(dtype, lengths, int(space[1]) if space else MAIN, math.prod(padded) * bits / 8)


def _instruction(name: str, text: str) -> Instruction:
    """Parses the text after 'NAME = ': a shape, an opcode, its arguments and its attributes."""
    text = _COMMENT.sub("", text)
    end = _closing(text, 0) if text.startswith("(") else text.index(" ")
    shape, rest = text[:end], text[end:].lstrip()
    opening = rest.index("(")
    closing = _closing(rest, opening)
    arguments = rest[opening + 1 : closing - 1]
    return Instruction(
        name,
        rest[:opening].strip(),
        tuple(array(*match.groups("")) for match in _ARRAY.finditer(shape)),
        tuple(_NAME.findall(arguments)),
        arguments,
        rest[closing:],
    )


def _closing(text: str, opening: int) -> int:
    """Returns the place after the parenthesis that closes the one at `opening`."""
    depth = 0
    for match in re.compile(r"[()]").finditer(text, opening):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.end()
    return len(text)
