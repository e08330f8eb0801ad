"""Counts floating-point operations and activations of a traced function from its jaxpr.

XLA's cost analysis counts the body of a loop only once, and on CPUs it does not count calls of
libraries. Here, the body of a loop counts as often as it runs. Of a conditional, the branch that
the given values select is counted, or the most expensive one if that is not known; of code that
depends on the platform, the default.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

SMALL = 4096  # most elements of a value that is propagated through the program
FREE = frozenset(
    """
    broadcast_in_dim reshape transpose squeeze expand_dims convert_element_type bitcast_convert_type
    slice dynamic_slice dynamic_update_slice gather concatenate pad rev iota copy copy_p select_n
    stop_gradient device_put split tile sharding_constraint optimization_barrier platform_index
    """.split()
)


class Cost(NamedTuple):
    """The counts of a function.

    products     {dtype name: operations of matrix products and convolutions}, two for each multiply
    others       all other operations, one for each element that is computed or summed
    activations  elements of the outputs of matrix products and convolutions
    unbounded    number of loops of unknown length, whose bodies count once
    """

    products: dict
    others: float = 0.0
    activations: float = 0.0
    unbounded: int = 0

    @property
    def flops(self) -> float:
        """Number of all operations."""
        return sum(self.products.values()) + self.others

    def plus(self, other: "Cost", times: float = 1) -> "Cost":
        """Returns the sum of this cost and `times` the other."""
        products = dict(self.products)
        for dtype, count in other.products.items():
            products[dtype] = products.get(dtype, 0.0) + times * count
        return Cost(
            products,
            self.others + times * other.others,
            self.activations + times * other.activations,
            self.unbounded + other.unbounded,
        )


def count(function: Callable, *args: Any, **kwargs: Any) -> Cost:
    """Counts the cost of one call of a function.

        count(vos.encode, params, frame).flops

    Args:
        function: a function that JAX can trace.
        *args: pytrees of arrays, whose small values select branches, or of `jax.ShapeDtypeStruct`,
            of which only the shapes are known.
        **kwargs: keyword arguments, of the same kinds.
    """
    traced = jax.make_jaxpr(function)(*args, **kwargs)
    known = [
        leaf
        if isinstance(leaf, (jax.Array, np.ndarray, np.generic)) and leaf.size <= SMALL
        else None
        for leaf in jax.tree.leaves((args, kwargs))
    ]
    return _count(traced.jaxpr, traced.consts, known)[0]


def _count(jaxpr: Any, consts: Any, inputs: list) -> tuple[Cost, list]:
    """Returns the cost of a jaxpr, and its outputs as far as they are known."""
    values = dict(zip(jaxpr.constvars, consts))
    values |= {var: value for var, value in zip(jaxpr.invars, inputs) if value is not None}
    total = Cost({})

    def value_of(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values.get(atom)

    for eqn in jaxpr.eqns:
        inputs = [value_of(atom) for atom in eqn.invars]
        cost, outputs = _equation(eqn, inputs)
        total = total.plus(cost)
        for var, value in zip(eqn.outvars, outputs):
            if value is not None:
                values[var] = value
    return total, [value_of(atom) for atom in jaxpr.outvars]


def _equation(eqn: Any, inputs: list) -> tuple[Cost, list]:
    name, params, unknown = eqn.primitive.name, eqn.params, [None] * len(eqn.outvars)
    if name == "platform_index":  # the last branch is the default
        return Cost({}), [np.int32(len(params["platforms"]) - 1)]
    if name == "cond":
        return _branches(params["branches"], inputs, unknown)
    if name == "scan":
        body = params["jaxpr"]
        consts = inputs[: _scan_consts(eqn, body.jaxpr)]
        cost, _ = _count(
            body.jaxpr, body.consts, consts + [None] * (len(body.jaxpr.invars) - len(consts))
        )
        return Cost({}).plus(cost, params["length"]), unknown
    if name == "while":
        total = Cost({}, unbounded=1)
        for body in (params["cond_jaxpr"], params["body_jaxpr"]):
            total = total.plus(_count(body.jaxpr, body.consts, [None] * len(body.jaxpr.invars))[0])
        return total, unknown
    inner = next(
        (params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in params), None
    )
    if inner is not None:
        closed = inner if isinstance(inner, core.ClosedJaxpr) else core.ClosedJaxpr(inner, ())
        return _count(closed.jaxpr, closed.consts, inputs)
    return _cost(eqn), _folded(eqn, inputs, unknown)


def _scan_consts(eqn: Any, body: Any) -> int:
    """Returns the number of a scan's inputs that are the same in every iteration.

    A scan has constants, a carry and rows. Only rows lose their first axis inside the body (and
    gain one in the output), so they are recognized by their shapes; the names of parameters differ
    between versions of JAX.
    """

    def same_rank(outer: Any, inner: Any) -> Any:
        return sum(len(a.aval.shape) == len(b.aval.shape) for a, b in zip(outer, inner))

    return same_rank(eqn.invars, body.invars) - same_rank(eqn.outvars, body.outvars)


def _branches(branches: Any, inputs: list, unknown: list) -> tuple[Cost, list]:
    if inputs[0] is not None:
        selected = branches[int(np.clip(int(inputs[0]), 0, len(branches) - 1))]
        return _count(selected.jaxpr, selected.consts, inputs[1:])
    costs = [_count(branch.jaxpr, branch.consts, inputs[1:])[0] for branch in branches]
    return max(costs, key=lambda cost: cost.flops), unknown


def _folded(eqn: Any, inputs: list, unknown: list) -> list:
    """Returns the outputs of an equation if all of its inputs are known and they are small."""
    sizes = [math.prod(var.aval.shape) for var in eqn.outvars]
    if any(value is None for value in inputs) or max(sizes, default=0) > SMALL or eqn.effects:
        return unknown
    with jax.ensure_compile_time_eval():
        outputs = eqn.primitive.bind(*map(jnp.asarray, inputs), **eqn.params)
    return list(outputs) if eqn.primitive.multiple_results else [outputs]


def _cost(eqn: Any) -> Cost:
    """Returns the cost of an equation without an inner jaxpr."""
    name = eqn.primitive.name
    result: Any = eqn.outvars[0].aval if eqn.outvars else None
    shapes = [getattr(atom.aval, "shape", ()) for atom in eqn.invars]
    if name == "dot_general":
        (left, _), _ = eqn.params["dimension_numbers"]
        deep = math.prod(shapes[0][axis] for axis in left)
    elif name == "conv_general_dilated":
        deep = math.prod(shapes[1]) // shapes[1][eqn.params["dimension_numbers"].rhs_spec[0]]
    elif name in FREE or result is None:
        return Cost({})
    elif name.startswith(("reduce_", "arg", "cum", "sort", "top_k", "scatter")):
        return Cost({}, float(max(map(math.prod, shapes))))
    else:
        return Cost({}, float(math.prod(result.shape)))
    size = float(math.prod(result.shape))
    return Cost({eqn.invars[0].aval.dtype.name: 2 * deep * size}, activations=size)
