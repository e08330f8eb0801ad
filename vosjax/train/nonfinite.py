"""Steps whose loss or gradient is not finite: left out in the compiled step, counted on the host.

The loop fetches figures from the devices only now and then, so that devices and host do not wait
for each other. The compiled step therefore decides by itself not to update the weights
(`without_nonfinite`), and the host counts afterwards how many such steps came in a row (`Window`).
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.errors import NotFinite

SKIPPED = "skipped"  # the figure of how many steps were left out since the last row
IN_A_ROW = "nonfinite_in_a_row"  # how many there were directly before a checkpoint


class NotFiniteSteps(NotFinite):
    """Steps were not finite; `first` is the number of the first of them, counted from 0."""

    def __init__(self, message: str, first: int) -> None:
        super().__init__(message)
        self.first = first


def without_nonfinite(train_step: Callable[..., Any], allowed: int) -> Callable[..., Any]:
    """Returns a step that leaves the state as it was where its loss or gradient is not finite.

        advance = jax.jit(without_nonfinite(functools.partial(train_step, model, chain), 3))

    Only the step number advances then, so that the next step takes the next batch. The function is
    traced with the step, and the selection becomes part of the update's kernels.

    Args:
        train_step: a function (state, batch, scalars, key) -> (state, metrics), where the metrics
            have `loss` and `gradient`.
        allowed: number of such steps in a row that are allowed; 0 returns the step as it is.
    """
    if not allowed:
        return train_step

    def guarded(before: Any, batch: Any, scalars: Any, rng: jax.Array) -> tuple[Any, Any]:
        after, metrics = train_step(before, batch, scalars, rng)
        finite = jnp.isfinite(metrics.loss) & jnp.isfinite(metrics.gradient)
        chosen = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, before)
        return chosen._replace(step=after.step), metrics

    return guarded


class Window:
    """The metrics of the steps since the last row of figures.

        window = Window(start=0, allowed=0)
        window.add(metrics)
        window.fetch()
        window.clear()

    Args:
        start: number of steps done before the first one that is added.
        allowed: number of steps in a row that may be not finite.
        in_a_row: number of such steps directly before `start`.
    """

    def __init__(self, *, start: int, allowed: int, in_a_row: int = 0) -> None:
        self.in_a_row = in_a_row
        self._next, self._allowed = start, allowed
        self._pending: list[Any] = []
        self._fetched: list[Any] = []

    def add(self, metrics: Any) -> None:
        """Adds the metrics of the next step, which may still be computed."""
        self._pending.append(metrics)

    def clear(self) -> None:
        """Begins the next row of figures with what was not fetched yet."""
        self._fetched = []

    def fetch(self) -> list[Any]:
        """Returns the metrics of all steps since the last row, on the host.

        Raises:
            NotFiniteSteps: more steps in a row than allowed are not finite.
        """
        pending, self._pending = jax.device_get(self._pending), []
        self._fetched += pending
        first, self._next = self._next, self._next + len(pending)
        self.in_a_row = check_finite(
            first,
            [metrics.loss for metrics in pending],
            [metrics.gradient for metrics in pending],
            allowed=self._allowed,
            in_a_row=self.in_a_row,
        )
        return self._fetched


def check_finite(
    first: int,
    losses: list[float],
    gradients: list[float],
    *,
    allowed: int = 0,
    in_a_row: int = 0,
) -> int:
    """Checks that the losses and gradient norms of consecutive steps are finite.

        check_finite(100, [0.7, 0.6], [1.2, 1.1])      # of steps 100 and 101

    Args:
        first: number of the first step, from 0.
        losses: the losses.
        gradients: the gradients' global norms.
        allowed: number of steps in a row that may be not finite.
        in_a_row: number of such steps directly before `first`.

    Returns:
        The number of steps in a row that are not finite up to the last one.

    Raises:
        NotFiniteSteps: there are more in a row than allowed; the message names the steps.
    """
    bad = [not is_finite(*figures) for figures in zip(losses, gradients)]
    for index, is_bad in enumerate(bad):
        in_a_row = in_a_row + 1 if is_bad else 0
        if in_a_row > allowed:
            begin = first + index + 1 - in_a_row
            end = first + max(i for i, flag in enumerate(bad) if flag)
            raise NotFiniteSteps(_complaint(begin, end, allowed), begin)
    return in_a_row


def is_finite(loss: float, gradient: float) -> bool:
    """Returns whether the loss and the gradient's norm of a step are finite.

    is_finite(0.7, float("inf"))     # False
    """
    return math.isfinite(loss) and math.isfinite(gradient)


def means(metrics: list[Any]) -> dict[str, float]:
    """Returns the mean of each figure over the steps that are finite, {name: mean}.

        means(window.fetch())["loss"]

    Args:
        metrics: one NamedTuple of scalars for each step; its field `prediction` is left out.
    """
    finite = [m for m in metrics if is_finite(m.loss, m.gradient)]
    if not finite:
        return {}
    names = [name for name in finite[0]._fields if name != "prediction"]
    return {name: float(np.mean([getattr(m, name) for m in finite])) for name in names}


def skipped(metrics: list[Any]) -> int:
    """Returns how many of some steps are not finite.

    skipped(window.fetch())
    """
    return sum(not is_finite(m.loss, m.gradient) for m in metrics)


def before(figures: dict[str, Any]) -> int:
    """Returns how many steps in a row were not finite directly before a checkpoint.

        before(kept.figures(folder, 1000))      # 0

    Args:
        figures: the figures that are stored with the checkpoint; those of earlier versions and
            damaged ones say nothing, which counts as 0.
    """
    count = figures.get(IN_A_ROW, 0)
    return count if isinstance(count, int) and count >= 0 else 0


def _complaint(begin: int, end: int, allowed: int) -> str:
    steps = f"the loss or its gradient was not finite in steps {begin} to {end}"
    if allowed:
        return (
            f"{steps}, and train.skip_nonfinite allows {allowed} in a row: lower train.lr or "
            "lengthen train.warmup; the last checkpoint is from before these steps"
        )
    return (
        f"{steps}: lower train.lr or lengthen train.warmup, or leave out single steps by "
        "train.skip_nonfinite; the last checkpoint is from before these steps"
    )
