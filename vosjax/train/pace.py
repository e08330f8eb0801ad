"""The pace of a training: steps per second, waiting for batches, and the use of the devices."""

import contextlib
import time
from collections.abc import Generator, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax

from vosjax.train.utilisation import Utilisation

COLUMNS = ("steps_per_second", "waiting", "utilisation")


class Pace:
    """Measures how fast a training runs, from one row of figures to the next.

    pace = Pace(batch=16, unit="clips", utilisation=utilisation, key=key)
    for batch in pace.timed(batches):
        ...
        pace.step_done(done)     # a `loop.StepResult`
    pace.figures()      # {"clips_per_second": 31.2, "steps_per_second": 1.95, ...}
    """

    def __init__(self, *, batch: int, unit: str, utilisation: Utilisation, key: Any) -> None:
        """Starts the clock.

        Args:
            batch: number of samples of a step.
            unit: what they are, in the plural.
            utilisation: computes the use of the devices.
            key: the key of the training.
        """
        self._batch, self._unit, self._utilisation, self._key = batch, unit, utilisation, key
        self._last: Any = None
        self._begin(time.monotonic())

    def _begin(self, now: float) -> None:
        self._started, self._waited, self._steps = now, 0.0, 0

    def timed(self, batches: Generator[Any]) -> Generator[Any]:
        """Yields the batches, and measures how long the training waits for each of them.

        Steps are computed while the next batch is made. So only those waits count in which the
        step before was done when the batch came: where no device had anything to compute.

        Args:
            batches: makes the batches; closed at the end.
        """
        with contextlib.closing(batches):
            while True:
                asked = time.monotonic()
                batch = next(batches, None)
                if batch is None:
                    return
                if self._last is None or self._last.metrics.loss.is_ready():
                    self._waited += time.monotonic() - asked
                yield batch

    def step_done(self, done: Any) -> None:
        """Counts a step, a `loop.StepResult` that may still be computed."""
        self._last = done
        self._steps += 1

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out the time of the block, in which something else than training is done."""
        began = time.monotonic()
        yield
        self._started += time.monotonic() - began

    def figures(self) -> dict[str, float]:
        """Returns the figures of the steps since the last call, which are all computed by now.

        Returns:
            `UNIT_per_second`, `steps_per_second`, `waiting` (the share of the time in which
            batches were waited for, 0..1), and `utilisation` where the devices' peak is known.
        """
        now = time.monotonic()
        seconds = now - self._started
        speed, waiting = self._steps / seconds, self._waited / seconds
        values = {
            f"{self._unit}_per_second": speed * self._batch,
            "steps_per_second": speed,
            "waiting": waiting,
        }
        if self._last is not None:
            share = self._utilisation.share(
                self._last.state,
                self._last.batch,
                self._last.scalars,
                self._key,
                steps_per_second=speed,
            )
            values |= {} if share is None else {"utilisation": share}
        self._begin(time.monotonic())
        return values


@jax.jit
def distance(weights: Any, average: Any) -> jax.Array:
    """Returns how far weights are from their average: |weights - average| / |weights|, float32.

        distance(now.trainable, now.average)

    Args:
        weights: a pytree of arrays.
        average: another of the same structure.
    """
    apart = jax.tree.map(jnp.subtract, weights, average)
    return optax.tree.norm(apart) / jnp.maximum(optax.tree.norm(weights), 1e-30)
