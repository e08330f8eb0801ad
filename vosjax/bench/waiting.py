"""A device that only waits: stands in for an accelerator, so that the host's share can be measured.

A frame takes a fixed time on it, one after the other, and no CPU. All else is the real thing: calls
are dispatched through JAX with the network's weights, state and frame as arguments, and results are
fetched from JAX's arrays. Labels are those that it was given, in turns.
"""

import contextlib
import time
from collections.abc import Generator, Sequence
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.eval import engine
from vosjax.eval.plan import Plan
from vosjax.eval.programs import PartPrograms, Programs
from vosjax.tracking import state
from vosjax.tracking.frame import FrameProgram
from vosjax.tracking.slots import HostArray


class WaitingDevice:
    """Takes a fixed time for every frame, and says when results were fetched.

        device = WaitingDevice(0.005, labels)
        with device.in_place():
            ...     # whatever tracks frames

    seconds  how long a frame takes
    fetched  (`time.perf_counter`, `time.process_time`) after each fetched result
    waited   seconds for which the device had nothing to do between its first and its last frame
    """

    def __init__(self, seconds: float, labels: Sequence[HostArray]) -> None:
        """Begins with nothing to do; `labels` uint8 [H, W] are the results of frames, in turns."""
        self.seconds = seconds
        self.fetched: list[tuple[float, float]] = []
        self.waited = 0.0
        self._labels = np.stack(labels)
        self._free: float | None = None  # when it will have done all that it was given

    @contextlib.contextmanager
    def in_place(self) -> Generator[None]:
        """Puts the device in the place of compiled programs, those of trackers and of engines."""
        with (
            mock.patch.object(state, "frame_program", self._frame_program),
            mock.patch.object(engine, "compile_plan", self._plan_programs),
        ):
            yield

    def _takes(self, frames: int) -> float:
        """Gives it frames to do; returns when they will be done."""
        now = time.perf_counter()
        if self._free is None:
            self._free = now
        self.waited += max(now - self._free, 0.0)
        self._free = max(now, self._free) + frames * self.seconds
        return self._free

    def _result(self, array: jax.Array, ready: float) -> "_Result":
        return _Result(array, ready, self.fetched)

    def _frame_program(self, *key: Any) -> FrameProgram:
        """Returns what runs in the place of `tracking.frame.frame_program`."""
        slots = key[1].objects

        def passed(
            params: Any, state: Any, frame: Any, prompt: Any, ids: Any, clock: Any, maps: Any
        ) -> tuple[Any, ...]:
            return state, maps[clock.time % len(maps)], _stats(slots), frame[0, 0]

        program = jax.jit(passed, donate_argnums=1)
        maps = jnp.asarray(self._labels)

        def run(*arguments: Any) -> tuple[Any, ...]:
            state, labels, stats, _ = program(*arguments, maps)
            return state, self._result(labels, self._takes(1)), stats, {}

        return FrameProgram(run, run, [0])

    def _plan_programs(
        self, plan: Plan, batch: int, parts: Sequence[Any], devices: Sequence[Any], **settings: Any
    ) -> Programs:
        """Returns what runs in the place of `eval.programs.compile_plan`."""
        slots = plan.slots * plan.groups
        labels = np.stack([self._labels] * batch, 1)
        maps, number = jnp.asarray(labels), iter(range(10**9))

        def passed(state: Any, features: Any, number: Any) -> Any:
            return state, features[:, number, 0, 0]

        def made(probs: Any, ids: Any, index: Any, maps: Any) -> tuple[Any, Any]:
            return maps[index % len(maps)], jnp.broadcast_to(_stats(slots), (batch, slots, 3))

        make, step = jax.jit(made), jax.jit(passed)

        def follow(
            params: Any, state: Any, features: Any, number: Any, clock: Any, *marks: Any
        ) -> Any:
            return step(state, features, number)

        def outputs(probs: Any, ids: Any, *marks: Any) -> tuple[Any, ...]:
            maps_of, stats = make(probs, ids, np.int32(next(number)), maps)
            return self._result(maps_of, self._takes(batch)), stats, None

        part = PartPrograms(
            lambda params: jnp.zeros(()), lambda params, frames: frames, follow, follow
        )
        return Programs([part] * len(parts), outputs, outputs)


class _Result:
    """An array that can be fetched once the device is done with it."""

    def __init__(self, array: jax.Array, ready: float, fetched: list[Any]) -> None:
        self._array, self._ready, self._fetched = array, ready, fetched

    def copy_to_host_async(self) -> None:
        self._array.copy_to_host_async()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> HostArray:
        time.sleep(max(self._ready - time.perf_counter(), 0.0))
        labels = np.asarray(self._array)
        self._fetched.append((time.perf_counter(), time.process_time()))
        return labels


def _stats(slots: int) -> jax.Array:
    return jnp.tile(jnp.array([0.9, 0.8, 1000.0]), (slots, 1))
