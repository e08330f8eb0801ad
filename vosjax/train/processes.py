"""What the processes of one training agree on: who writes, what failed, and when to stop.

All processes compute the same steps, each on its own rows of the batches. The first one writes the
run's folder. Everything here does its work in a single process, too.
"""

import collections
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from vosjax.errors import InputError
from vosjax.train.device import Shardings

BEHIND = 2  # steps after which the processes look at what they told each other
LONGEST = 1024  # most bytes of a message that is passed on


def is_first() -> bool:
    """Whether this process writes the run's folder; one of them does."""
    return jax.process_index() == 0


class Silent:
    """The log of a process that writes none, see `log.Log`."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Drops the figures of a step."""

    def pictures(self, step: int, *images: np.ndarray) -> None:
        """Drops a picture."""

    def close(self) -> None:
        """Has nothing to close."""


def first_does(action: Callable[[], Any]) -> Any:
    """Lets the first process do something, and the others wait until it is done.

        first_does(lambda: write_json(folder / "config.json", values))

    Args:
        action: what is done.

    Returns:
        The action's result in the first process, None in the others.

    Raises:
        InputError: the action raised one in the first process; it is raised in all of them.
    """
    if jax.process_count() == 1:
        return action()
    result, message, error = None, b"", None
    if is_first():
        try:
            result = action()
        except InputError as refused:
            message, error = str(refused).encode()[:LONGEST], refused
    padded = np.frombuffer(message.ljust(LONGEST, b"\0"), np.uint8)
    told = bytes(multihost_utils.broadcast_one_to_all(padded)).rstrip(b"\0")
    if error is not None:
        raise error
    if told:
        raise InputError(told.decode(errors="replace"))
    return result


def check_same(digest: bytes, complaint: str) -> None:
    """Checks that all processes give the same bytes.

        check_same(hashlib.sha256(text).digest(), "the processes have different configs")

    Args:
        digest: some bytes, of the same number in all processes.
        complaint: what is wrong if they differ.

    Raises:
        InputError: they differ; raised in all processes.
    """
    if jax.process_count() == 1:
        return
    every = multihost_utils.process_allgather(np.frombuffer(digest, np.uint8))
    if (every != every[0]).any():
        raise InputError(complaint)


def stopping(stop: Sequence[Any], over: Shardings) -> Callable[[], bool]:
    """Returns a function that says before each step whether to stop; it says the same everywhere.

        stopped = stopping(stop, device.shardings())
        while not stopped():
            ...

    A signal may reach one process only, or the processes in different steps. So all of them combine
    what they know on the devices, in the order of the steps, and look at it `BEHIND` steps later,
    when it is computed and nobody has to wait.

    Args:
        stop: holds an item once this process has a signal to end (`runs.signals.stop_signals`).
        over: the shardings of the training.
    """
    if jax.process_count() == 1:
        return lambda: bool(stop)
    told: collections.deque[jax.Array] = collections.deque()
    anyone = jax.jit(jnp.any, out_shardings=over.everywhere)

    def stopped() -> bool:
        own = np.full(jax.local_device_count(), bool(stop))
        told.append(anyone(jax.make_array_from_process_local_data(over.split, own)))
        return len(told) > BEHIND and bool(told.popleft())

    return stopped
