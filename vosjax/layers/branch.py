"""A conditional that disappears where its predicate is known while tracing."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def branch(predicate, true: Callable[..., Any], false: Callable[..., Any], *operands: Any) -> Any:
    """`lax.cond`, but of a predicate that is a plain (or NumPy) bool only its side is traced.

    A trainer knows which frames are annotated and remembered. Left inside of a conditional, their
    arithmetic is compiled for both sides, and XLA's CPU backend runs it on one thread.
    """
    if isinstance(predicate, (bool, np.bool_)):
        return (true if predicate else false)(*operands)
    return jax.lax.cond(predicate, true, false, *operands)
