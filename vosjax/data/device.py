"""Batches on their way to the devices while the step before is computed."""

import collections
import contextlib

import jax


def to_device(batches, sharding, *, ahead=2):
    """Yields each batch as global arrays on the devices, `ahead` transfers before it is needed.

    Transfers do not wait for the computation that runs, nor it for them: two buffers keep an
    accelerator fed as long as batches are made faster than they are used.

    Args:
        batches: iterator of trees of host arrays, this process's rows of each batch; closed at the
            end.
        sharding: of every leaf, on its first axis.
        ahead: batches that wait on the devices.
    """
    if ahead < 1:
        raise ValueError(f"to_device: ahead must be at least 1, got {ahead}")
    waiting = collections.deque()
    with contextlib.closing(batches):
        for batch in batches:
            waiting.append(
                jax.tree.map(
                    lambda rows: jax.make_array_from_process_local_data(sharding, rows), batch
                )
            )
            if len(waiting) > ahead:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
