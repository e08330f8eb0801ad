"""How much of what the devices could compute a training uses: operations counted, over the peak.

This is the model FLOP utilisation of PaLM (Chowdhery et al., arXiv 2204.02311, appendix B): only
matrix products and convolutions count, since the stated peaks are theirs.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from vosjax import cost
from vosjax.ahead.peaks import peaks_of
from vosjax.train.task import Advance

HALF = ("float16", "bfloat16")


def seconds_at_peak(products: Mapping[str, float], peaks: tuple[float, float]) -> float:
    """Returns the time that one device would need for matrix products at its peak.

        seconds_at_peak({"bfloat16": 3e12}, (1e12, 5e11))       # 3.0

    Args:
        products: {dtype name: operations}, see `cost.Cost`.
        peaks: as from `peaks_of`.
    """
    half, single = peaks
    return sum(count / (half if dtype in HALF else single) for dtype, count in products.items())


class Utilisation:
    """The share of the devices' peak that a training uses.

        utilisation = Utilisation(lambda: task.advance(chain), peak=None)
        utilisation.share(now, batch, scalars, key, steps_per_second=2.5)       # 0.41

    The operations are counted in the traced step, forward and backward, for all devices together;
    frames that `train.remat` computes again count again. They are counted once for steps with and
    once for steps without the loss of the reference frame.
    """

    def __init__(self, advance: Callable[[], Advance], *, peak: float | None) -> None:
        """Takes what makes the step; it is made and traced at the first call of `share`.

        Args:
            advance: returns the step of a `Task`.
            peak: the peak of one device in FLOP/s; None takes it from the table.
        """
        known = peaks_of(jax.local_devices()[0].device_kind)
        self._peaks = known if peak is None else (peak, peak)
        self._advance = advance
        self._products: dict[bool, Mapping[str, float]] = {}

    def share(
        self, now: Any, batch: Any, scalars: Any, key: Any, *, steps_per_second: float
    ) -> float | None:
        """Returns the share, about 0..1, or None if the peak is not known.

        Args:
            now: the state of the training.
            batch: a batch, of all devices.
            scalars: the `StepScalars` of the step.
            key: the key of the training.
            steps_per_second: the speed.
        """
        if self._peaks is None:
            return None
        supervised = bool(scalars.aux_weight)
        if supervised not in self._products:
            shapes = jax.tree.map(
                lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (now, batch, key)
            )
            advance = self._advance()
            counted = cost.count(lambda now, batch, key: advance(now, batch, scalars, key), *shapes)
            self._products[supervised] = counted.products
        seconds = seconds_at_peak(self._products[supervised], self._peaks)
        return seconds * steps_per_second / jax.device_count()
