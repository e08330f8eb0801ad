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

Form = Callable[..., jax.Array]


def on_one_tpu(kernel: Form, plain: Form, *arrays: jax.Array, **others: Form) -> Any:
    """Calls `kernel` in a program for one TPU, and a plain form in any other.

        far = on_one_tpu(flash_read, softmax_read, query, key, value, valid)

    Neither form may be differentiated through; the caller defines the derivative.

    Args:
        kernel: returns one array.
        plain: returns an array of the same shape and dtype.
        *arrays: the arguments of both.
        **others: forms for platforms that have one of their own, as for `lax.platform_dependent`.
    """
    return jax.lax.platform_dependent(
        *arrays, tpu=functools.partial(_bind, kernel, plain), default=plain, **others
    )


def _bind(kernel: Form, plain: Form, *arrays: jax.Array) -> Any:
    result = jax.eval_shape(plain, *arrays)
    return _kernel_p.bind(
        *arrays, kernel=kernel, plain=plain, shape=result.shape, dtype=result.dtype
    )


def _result(*avals: Any, shape: Any, dtype: Any, **forms: Form) -> Any:
    return jax.core.ShapedArray(shape, dtype)


def _lowered(context: Any, *values: Any, kernel: Form, plain: Form, **result: Any) -> Any:
    """Lowers the one or the other form, by the number of the program's devices."""
    devices = getattr(context.module_context.axis_context, "num_devices", None)
    form = kernel if devices == 1 else plain
    return mlir.lower_fun(form, multiple_results=False)(context, *values)


def _elsewhere(context: Any, *values: Any, plain: Form, **others: Any) -> Any:
    """Lowers the plain form: a program for several platforms holds all branches for all of them."""
    return mlir.lower_fun(plain, multiple_results=False)(context, *values)


def _batched(arrays: Any, axes: Any, *, kernel: Form, plain: Form, **result: Any) -> Any:
    """Runs the kernel for one item after the other; the plain form takes them as a batch."""
    moved = [x if axis is None else jnp.moveaxis(x, axis, 0) for x, axis in zip(arrays, axes)]
    in_axes = tuple(None if axis is None else 0 for axis in axes)

    def one_by_one(*arrays: jax.Array) -> jax.Array:
        def one(own: list[jax.Array]) -> jax.Array:
            items = iter(own)
            return kernel(*(x if axis is None else next(items) for x, axis in zip(arrays, axes)))

        rows = [x for x, axis in zip(arrays, axes) if axis is not None]
        results: jax.Array = jax.lax.map(one, rows)
        return results

    return _bind(one_by_one, jax.vmap(plain, in_axes), *moved), 0


_kernel_p = core.Primitive("tpu_kernel")
_kernel_p.def_abstract_eval(_result)
mlir.register_lowering(_kernel_p, _elsewhere)
mlir.register_lowering(_kernel_p, _lowered, platform="tpu")
batching.primitive_batchers[_kernel_p] = _batched
