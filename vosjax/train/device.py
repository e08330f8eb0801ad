"""The devices of a training: how arrays lie on them, and batches sent ahead to them."""

import collections
import contextlib
from collections.abc import Generator
from typing import Any

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec


def to_device(
    batches: Generator[Any], sharding: jax.sharding.Sharding, *, ahead: int = 2
) -> Generator[Any]:
    """Yields each batch as global arrays on the devices, transferred some batches ahead.

        for batch in to_device(pipeline.clips(config, seed=0, batch=16), sharding):
            ...

    Transfers and computation do not wait for each other, so two batches ahead keep an accelerator
    busy as long as batches are made faster than they are used.

    Args:
        batches: pytrees of host arrays, this process's rows of each batch; closed at the end.
        sharding: sharding of every leaf, on its first axis.
        ahead: number of batches that wait on the devices.

    Raises:
        ValueError: `ahead` is below 1.
    """
    if ahead < 1:
        raise ValueError(f"to_device: ahead must be at least 1, got {ahead}")
    waiting: collections.deque[Any] = collections.deque()
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


def shardings() -> tuple[NamedSharding, NamedSharding]:
    """Returns two shardings over all devices: replicated, and split along the first axis.

        everywhere, split = shardings()

    The state of a training is replicated, its batches are split.
    """
    mesh = jax.make_mesh((len(jax.devices()),), ("data",), axis_types=(AxisType.Auto,))
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))
