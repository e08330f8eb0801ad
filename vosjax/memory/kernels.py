"""The choice between a kernel for TPUs and the plain form of the same function.

The kernel is taken on one TPU. In a program for several devices the plain form is, which XLA can
divide among them; it cannot divide a kernel. The choice is made while a program is lowered, and on
other platforms nothing of the kernel is traced.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.interpreters import batching, mlir

Form = Callable[..., Any]


def on_one_tpu(kernel: Form, plain: Form, *arrays: jax.Array, **others: Form) -> Any:
    """Calls `kernel` in a program for one TPU, and a plain form in any other.

        far = on_one_tpu(flash_read, softmax_read, query, key, value, valid)

    The derivative is that of the plain form, everywhere.

    Args:
        kernel: returns one array, or a pytree of arrays.
        plain: returns arrays of the same shapes and dtypes.
        *arrays: the arguments of both, all that they depend on.
        **others: forms for platforms that have one of their own, as for `lax.platform_dependent`.
    """

    @jax.custom_vjp
    def either(*arrays: jax.Array) -> Any:
        return jax.lax.platform_dependent(
            *arrays, tpu=functools.partial(_bind, kernel, plain), default=plain, **others
        )

    def backward(pull: Callable[[Any], Any], cotangents: Any) -> Any:
        return pull(cotangents)

    either.defvjp(functools.partial(jax.vjp, plain), backward)
    return either(*arrays)


def _bind(kernel: Form, plain: Form, *arrays: jax.Array) -> Any:
    results, tree = jax.tree.flatten(jax.eval_shape(plain, *arrays))
    shapes = tuple((result.shape, result.dtype) for result in results)
    leaves = _kernel_p.bind(*arrays, kernel=_flat(kernel), plain=_flat(plain), shapes=shapes)
    return jax.tree.unflatten(tree, leaves)


def _flat(form: Form) -> Form:
    return lambda *arrays: jax.tree.leaves(form(*arrays))


def _results(*avals: Any, shapes: Any, **forms: Form) -> Any:
    return [jax.core.ShapedArray(shape, dtype) for shape, dtype in shapes]


def _lowered(context: Any, *values: Any, kernel: Form, plain: Form, **results: Any) -> Any:
    """Lowers the one or the other form, by the number of the program's devices."""
    devices = getattr(context.module_context.axis_context, "num_devices", None)
    form = kernel if devices == 1 else plain
    return mlir.lower_fun(form, multiple_results=True)(context, *values)


def _elsewhere(context: Any, *values: Any, plain: Form, **others: Any) -> Any:
    """Lowers the plain form: a program for several platforms holds all branches for all of them."""
    return mlir.lower_fun(plain, multiple_results=True)(context, *values)


def _batched(arrays: Any, axes: Any, *, kernel: Form, plain: Form, **results: Any) -> Any:
    """Runs the kernel for one item after the other; the plain form takes them as a batch."""
    moved = [x if axis is None else jnp.moveaxis(x, axis, 0) for x, axis in zip(arrays, axes)]
    in_axes = tuple(None if axis is None else 0 for axis in axes)

    def one_by_one(*arrays: jax.Array) -> Any:
        def one(own: list[jax.Array]) -> Any:
            items = iter(own)
            return kernel(*(x if axis is None else next(items) for x, axis in zip(arrays, axes)))

        rows = [x for x, axis in zip(arrays, axes) if axis is not None]
        return jax.lax.map(one, rows)

    leaves = _bind(one_by_one, jax.vmap(plain, in_axes), *moved)
    return leaves, [0] * len(leaves)


_kernel_p = core.Primitive("tpu_kernel")
_kernel_p.multiple_results = True
_kernel_p.def_abstract_eval(_results)
mlir.register_lowering(_kernel_p, _elsewhere)
mlir.register_lowering(_kernel_p, _lowered, platform="tpu")
batching.primitive_batchers[_kernel_p] = _batched
