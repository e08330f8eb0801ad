"""Operations and bytes of an optimised program, instruction by instruction, loops by their trips.

An instruction (mostly a fusion) reads its operands from memory and writes its result there; what is
inside of a fusion stays in registers. A slice of an operand is read as a slice, and what is updated
in place is written as far as it changes. A kernel counts with what its author states, which is also
what the compiler takes; slices that the compiler puts side by side are one array without a copy.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vosjax.ahead import convolution
from vosjax.ahead.hlo import MAIN, Array, Computation, Instruction, Program
from vosjax.ahead.trips import trips

FREE = frozenset(
    """
    parameter tuple get-tuple-element constant bitcast after-all partition-id replica-id domain
    opt-barrier add-dependency copy-done send-done recv-done infeed outfeed
    """.split()
)
MOVING = frozenset(
    """
    broadcast iota reshape transpose copy copy-start slice slice-start dynamic-slice concatenate pad
    dynamic-update-slice gather convert bitcast-convert reverse select tuple fusion custom-call call
    rng-bit-generator optimization-barrier
    """.split()
)  # instructions that compute nothing, or whose operations are counted elsewhere
COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
PRODUCTS = ("convolution", "dot")
UPDATES = ("dynamic-update-slice", "scatter")
SLICES = ("dynamic-slice", "slice", "gather")

_NAMED = re.compile(r'custom_call_target="(\w+)"')
_STATED = re.compile(r'"cost_estimate":\{"flops":"(\d+)".*?"bytes_accessed":"(\d+)"')
_UNMOVED = ("ConcatBitcast", "AssumeGatherIndicesInBound")  # custom calls that only rename


class Row(NamedTuple):
    """What an instruction costs, over all times that it runs.

    scope       the named scopes and the operation that it comes from
    opcode      'fusion', 'convolution', 'all-reduce', ...
    name        its name in the program
    times       how often it runs
    loop        scope of the outermost loop that it stands in; '' outside of loops
    products    operations of its convolutions and matrix products
    others      its other operations: one for each element that is computed or summed
    bytes       bytes that it reads and writes
    main        those of them that come from the device's main memory or go there; the others stay
                on the chip
    collective  {kind: bytes of a collective's larger side}
    """

    scope: str
    opcode: str
    name: str
    times: int
    loop: str
    products: float
    others: float
    bytes: float
    main: float
    collective: dict[str, float]


class Traffic(NamedTuple):
    """The rows of a program, and how many of its loops are of unknown length and count once."""

    rows: list[Row]
    unbounded: int

    @property
    def operations(self) -> float:
        """All operations."""
        return sum(row.products + row.others for row in self.rows)

    @property
    def products(self) -> float:
        """Operations of convolutions and matrix products."""
        return sum(row.products for row in self.rows)

    @property
    def bytes(self) -> float:
        """All bytes that instructions read and write."""
        return sum(row.bytes for row in self.rows)

    @property
    def main(self) -> float:
        """Those to and from the main memory."""
        return sum(row.main for row in self.rows)

    @property
    def collectives(self) -> dict[str, float]:
        """Bytes by each kind of collective, {kind: bytes}, without kinds that do not occur."""
        total: dict[str, float] = {}
        for row in self.rows:
            for kind, count in row.collective.items():
                total[kind] = total.get(kind, 0.0) + count
        return total


def counted(program: Program) -> Traffic:
    """Counts a program.

        counted(hlo.parsed(compiled.as_text())).bytes

    Of a conditional, the branch that moves the most bytes counts.
    """
    unbounded = [0]
    rows = list(_rows(program, program.computations[program.entry], 1, "", unbounded))
    return Traffic(rows, unbounded[0])


def largest(rows: Iterable[Row], count: int) -> list[Row]:
    """Returns the fusions and loops that move the most bytes; a loop is one row with all it does.

        largest(traffic.rows, 5)[0].scope

    Args:
        rows: rows of `Traffic`.
        count: how many to return.
    """
    loops: dict[str, Row] = {}
    alone = []
    for row in rows:
        if not row.loop:
            alone.append(row)
            continue
        before = loops.get(row.loop)
        if before is None:
            loops[row.loop] = row._replace(scope=row.loop, opcode="while")
        else:
            loops[row.loop] = before._replace(
                times=max(before.times, row.times),
                products=before.products + row.products,
                others=before.others + row.others,
                bytes=before.bytes + row.bytes,
                main=before.main + row.main,
            )
    every = [*alone, *loops.values()]
    return sorted(every, key=lambda row: row.bytes, reverse=True)[:count]


def _rows(
    program: Program, inside: Computation, times: int, loop: str, unbounded: list[int]
) -> Iterator[Row]:
    for each in inside.instructions.values():
        if each.opcode == "while":
            runs = trips(program, inside, each)
            unbounded[0] += runs is None
            body = program.computations[each.called("body")[0]]
            known = 1 if runs is None else runs
            scope = loop or f"{each.scope} ({each.name})"
            yield from _rows(program, body, times * known, scope, unbounded)
        elif each.opcode == "conditional":
            names = each.called("branch_computations", "true_computation", "false_computation")
            branches = [
                list(_rows(program, program.computations[name], times, loop, unbounded))
                for name in names
            ]
            yield from max(branches, key=lambda rows: sum(row.bytes for row in rows))
        elif each.opcode in ("call", "async-start"):
            for name in each.called("to_apply", "calls"):
                yield from _rows(program, program.computations[name], times, loop, unbounded)
        elif (call := _NAMED.search(each.attributes)) and call[1] in _UNMOVED:
            continue
        elif each.opcode not in FREE and not each.opcode.endswith(("-done", "-update")):
            yield _row(program, inside, each, times, loop)


def _row(program: Program, inside: Computation, each: Instruction, times: int, loop: str) -> Row:
    moved = list(_moved(program, inside, each))
    stated = _STATED.search(each.attributes) if each.opcode == "custom-call" else None
    if stated:
        share = int(stated[2]) / max(sum(size for size, _ in moved), 1)
        moved = [(size * share, space) for size, space in moved]
    everything = sum(size for size, _ in moved)
    main = sum(size for size, space in moved if space == MAIN)
    products, others = _operations(program, inside, each)
    return Row(
        each.scope or each.name,
        each.opcode,
        each.name,
        times,
        loop,
        times * products,
        times * others,
        times * everything,
        times * main,
        {kind: times * size for kind, size in _collectives(program, inside, each)},
    )


def _moved(program: Program, inside: Computation, each: Instruction) -> Iterator[tuple[float, int]]:
    """Yields (bytes, memory space) of what an instruction reads and writes."""
    operands = [inside.instructions[name] for name in each.operands]
    if each.opcode in ("copy-start", "slice-start"):
        target = each.arrays[0] if each.opcode == "copy-start" else each.arrays[-2]
        source = operands[0].arrays[0]
        yield target.bytes, target.space
        yield target.bytes, source.space
    elif each.opcode in SLICES:
        yield each.bytes, operands[0].arrays[0].space
        yield each.bytes, each.arrays[0].space
    elif each.opcode in UPDATES:
        update = operands[1 if each.opcode == "dynamic-update-slice" else -1]
        yield update.bytes, update.arrays[0].space
        yield update.bytes, each.arrays[0].space
    elif each.opcode == "fusion":
        called = program.computations[each.called("calls")[0]]
        for parameter, operand in zip(called.parameters(), operands):
            for array in operand.arrays[:1]:
                yield _read(program, called, parameter.name, array.bytes), array.space
        yield from zip(
            _written(program, called, called.result), (array.space for array in each.arrays)
        )
    else:
        for operand in operands:
            for array in operand.arrays:
                yield array.bytes, array.space
        results = each.arrays[-1:] if each.opcode.endswith("-start") else each.arrays
        for array in results:
            yield array.bytes, array.space


def _read(program: Program, called: Computation, name: str, whole: float) -> float:
    """Returns the bytes that a fusion reads of one of its operands."""
    total = 0.0
    for user in called.users(name):
        first = user.operands[0] == name
        if user.opcode == "bitcast":
            total += _read(program, called, user.name, whole)
        elif user.opcode in SLICES and first:
            total += user.bytes
        elif user.opcode == "dynamic-update-slice" and first and user.operands.count(name) == 1:
            total += 0.0
        elif user.opcode == "fusion":
            inner = program.computations[user.called("calls")[0]]
            for operand, parameter in zip(user.operands, inner.parameters()):
                if operand == name:
                    passed = inner.root == parameter.name or _passes(inner)
                    total += (
                        _read(program, called, user.name, whole)
                        if passed
                        else _read(program, inner, parameter.name, whole)
                    )
        else:
            return whole
    return min(total, whole)


def _passes(inner: Computation) -> bool:
    """Whether a computation only gives another form to its one operand."""
    return all(each.opcode in ("parameter", "bitcast") for each in inner.instructions.values())


def _written(program: Program, called: Computation, result: Instruction) -> list[float]:
    """Returns the bytes that a fusion writes of each array of its result."""
    if result.opcode == "tuple":
        return [
            size
            for name in result.operands
            for size in _written(program, called, called.instructions[name])
        ]
    if result.opcode == "bitcast":
        source = called.instructions[result.operands[0]]
        if source.opcode in (*UPDATES, "bitcast"):
            return _written(program, called, source)
    if result.opcode == "dynamic-update-slice":
        return [called.instructions[result.operands[1]].bytes]
    return [array.bytes for array in result.arrays]


def _operations(program: Program, inside: Computation, each: Instruction) -> tuple[float, float]:
    """Returns the operations of an instruction's products, and its other operations."""
    if each.opcode == "fusion":
        called = program.computations[each.called("calls")[0]]
        pairs = [_operations(program, called, one) for one in called.instructions.values()]
        return sum(first for first, _ in pairs), sum(second for _, second in pairs)
    if each.opcode in PRODUCTS:
        left, right = (inside.instructions[name].arrays[0] for name in each.operands[:2])
        return convolution.operations(each, left, right), 0.0
    if each.opcode == "custom-call" and (stated := _STATED.search(each.attributes)):
        return float(stated[1]), 0.0
    if each.opcode in FREE or each.opcode in MOVING or not each.arrays:
        return 0.0, 0.0
    sizes = [array.elements for array in each.arrays[:1]]
    if each.opcode.startswith(("reduce", "all-reduce", "scatter", "sort")):
        sizes += [inside.instructions[name].arrays[0].elements for name in each.operands[:1]]
    return 0.0, float(max(sizes))


def _collectives(
    program: Program, inside: Computation, each: Instruction
) -> Iterator[tuple[str, float]]:
    """Yields (kind, bytes) of a collective, or of those inside of a fusion."""
    if each.opcode == "fusion":
        called = program.computations[each.called("calls")[0]]
        for one in called.instructions.values():
            yield from _collectives(program, called, one)
        return
    kind = re.sub(r"-start$", "", each.opcode)
    if kind in COLLECTIVES:
        operands = sum(inside.instructions[name].bytes for name in each.operands)
        results = _results(each, len(each.operands))
        yield kind, max(operands, sum(array.bytes for array in results))


def _results(each: Instruction, operands: int) -> tuple[Array, ...]:
    """Returns a collective's results, without the operands that an asynchronous one also gives."""
    asynchronous = each.opcode.endswith("-start") and len(each.arrays) > operands
    return each.arrays[operands:] if asynchronous else each.arrays
