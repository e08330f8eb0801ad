"""A conditional that disappears where its predicate is known while tracing."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def branch(
    predicate: Any, true: Callable[..., Any], false: Callable[..., Any], *operands: Any
) -> Any:
    """`lax.cond` that traces only one side where the predicate is a plain (or NumPy) bool.

        entry = branch(when.annotated, reference, propagated, kept)

    A trainer knows which frames are annotated and remembered. Left inside of a conditional, their
    arithmetic is compiled for both sides, and XLA's CPU backend runs it on one thread.
    """
    if isinstance(predicate, (bool, np.bool_)):
        return (true if predicate else false)(*operands)
    return jax.lax.cond(predicate, true, false, *operands)
