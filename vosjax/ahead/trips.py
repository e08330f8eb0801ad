"""How often a loop of an optimised program runs, as far as the program says it.

Compilers for CPUs and GPUs write the number beside the loop. That for TPUs does not: there it
follows from the comparison that ends the loop, the number that it begins with, and what its body
adds to it.
"""

import re
from typing import NamedTuple

from vosjax.ahead.hlo import Computation, Instruction, Program

_KNOWN = re.compile(r'known_trip_count\\?"?:\{\\?"n\\?":\\?"(\d+)')
_SAME = ("copy", "bitcast", "convert", "reshape", "copy-start", "copy-done")


class Affine(NamedTuple):
    """An integer of a loop: `offset`, added to what the loop carries at `element` if any."""

    element: int | None
    offset: int


def trips(program: Program, around: Computation, loop: Instruction) -> int | None:
    """Returns how often the body of a loop runs; None if that is known only when it runs.

        trips(program, program.computations[program.entry], loop)      # 8

    Args:
        program: the program.
        around: the computation in which the loop stands.
        loop: its `while` instruction.
    """
    if known := _KNOWN.search(loop.attributes):
        return int(known[1])
    condition = program.computations[loop.called("condition")[0]]
    compared = _comparison(program, condition)
    if compared is None:
        return None
    left, right, direction = compared
    if right.element is not None and left.element is None:
        left, right = right, left
        direction = {"GT": "LT", "GE": "LE", "NE": "NE"}.get(direction, "")
    if left.element is None or direction not in ("LT", "LE", "NE"):
        return None
    first = _carried(program, around, loop, left.element)
    limit = right.offset
    if right.element is not None:
        begin = _carried(program, around, loop, right.element)
        if begin is None:
            return None
        limit += begin
    step = _step(program, program.computations[loop.called("body")[0]], left.element)
    if first is None or not step or step < 0:
        return None
    last = limit + (direction == "LE") - left.offset
    return max(0, -(-(last - first) // step))


def _comparison(program: Program, condition: Computation) -> tuple[Affine, Affine, str] | None:
    """Returns the two sides of the comparison that a condition is, and its direction."""
    inside, known, result = condition, dict[str, Affine](), condition.result
    while result.opcode in ("fusion", "call"):
        values = [_affine(program, inside, name, known) for name in result.operands]
        inside = program.computations[result.called("calls", "to_apply")[0]]
        known = {
            parameter.name: value
            for parameter, value in zip(inside.parameters(), values)
            if value is not None
        }
        result = inside.result
    direction = re.search(r"direction=(\w+)", result.attributes)
    if result.opcode != "compare" or not direction:
        return None
    sides = [_affine(program, inside, name, known) for name in result.operands]
    if sides[0] is None or sides[1] is None:
        return None
    return sides[0], sides[1], direction[1]


def _carried(program: Program, around: Computation, loop: Instruction, element: int) -> int | None:
    """Returns the integer that a loop begins with at a place of what it carries."""
    begin = around.instructions[loop.operands[0]]
    if begin.opcode != "tuple":
        return None
    value = _affine(program, around, begin.operands[element], {})
    return value.offset if value is not None and value.element is None else None


def _step(program: Program, body: Computation, element: int) -> int | None:
    """Returns what a loop's body adds at a place of what the loop carries."""
    if body.result.opcode != "tuple":
        return None
    value = _affine(program, body, body.result.operands[element], {})
    return value.offset if value is not None and value.element == element else None


def _affine(
    program: Program, inside: Computation, name: str, known: dict[str, Affine]
) -> Affine | None:
    """Returns the value of a scalar instruction, if it is of this form."""
    if name in known:
        return known[name]
    instruction = inside.instructions[name]
    if instruction.opcode == "constant":
        whole = re.fullmatch(r"-?\d+", instruction.arguments.strip())
        return Affine(None, int(whole[0])) if whole else None
    if instruction.opcode == "get-tuple-element":
        source = inside.instructions[instruction.operands[0]]
        place = re.search(r"index=(\d+)", instruction.attributes)
        if source.opcode == "parameter" and not known and place:
            return Affine(int(place[1]), 0)
        return None
    scalar = not any(array.sides for array in instruction.arrays)
    if not scalar or instruction.opcode not in (*_SAME, "fusion", "call", "add", "subtract"):
        return None
    values = [_affine(program, inside, operand, known) for operand in instruction.operands]
    if instruction.opcode in _SAME:
        return values[0]
    if instruction.opcode in ("fusion", "call"):
        called = program.computations[instruction.called("calls", "to_apply")[0]]
        inner = {
            parameter.name: value
            for parameter, value in zip(called.parameters(), values)
            if value is not None
        }
        return _affine(program, called, called.root, inner) if inner else None
    if instruction.opcode in ("add", "subtract") and len(values) == 2:
        left, right = values
        if left is None or right is None or None not in (left.element, right.element):
            return None
        if instruction.opcode == "subtract":
            if right.element is not None:
                return None
            return Affine(left.element, left.offset - right.offset)
        element = left.element if left.element is not None else right.element
        return Affine(element, left.offset + right.offset)
    return None
