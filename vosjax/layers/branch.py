"""A conditional that disappears if its predicate is known while tracing."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def branch(
    predicate: Any, true: Callable[..., Any], false: Callable[..., Any], *operands: Any
) -> Any:
    """Works like `lax.cond`, but traces only one side if the predicate is a Python or NumPy bool.

        entry = branch(when.annotated, reference, propagated, kept)

    Training knows which frames are annotated and remembered. In a conditional, both sides would be
    compiled, and XLA's CPU backend would run them on one thread.

    Args:
        predicate: a bool, or a traced bool scalar.
        true: called with `operands` if the predicate holds.
        false: called with `operands` otherwise; returns the same structure.
        *operands: pytrees of arrays.
    """
    if isinstance(predicate, (bool, np.bool_)):
        return (true if predicate else false)(*operands)
    return jax.lax.cond(predicate, true, false, *operands)
