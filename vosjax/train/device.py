"""The devices of a training: how arrays lie on them, and batches sent ahead to them."""

import collections
import contextlib
from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

DATA, MODEL = "data", "model"  # axes of the mesh
LEAST = 1024  # elements of the smallest array that is distributed


class Shardings(NamedTuple):
    """Two shardings over one mesh of all devices.

    everywhere  every device holds the whole array
    split       every device holds its rows of the first axis
    """

    everywhere: NamedSharding
    split: NamedSharding


def shardings(shard_weights: int = 1, devices: Sequence[Any] | None = None) -> Shardings:
    """Returns the shardings of a training over all devices of all processes.

        everywhere, split = shardings()

    The mesh has the axes `data` and `model`. Batches are split along both. Along `model` the
    weights and the optimizer's state are distributed, too (`of_state`). The devices of a process
    are neighbours, so that it holds consecutive rows of a batch.

    Args:
        shard_weights: length of the axis `model`, which divides the number of devices.
        devices: other devices than those that are there, for compiling ahead.
    """
    devices = jax.devices() if devices is None else devices
    neighbours = sorted(devices, key=lambda device: (device.process_index, device.id))
    grid = np.array(neighbours).reshape(-1, shard_weights)
    mesh = Mesh(grid, (DATA, MODEL), axis_types=(AxisType.Auto, AxisType.Auto))
    return Shardings(
        NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec((DATA, MODEL)))
    )


def of_state(state: Any, over: Shardings) -> Any:
    """Returns the sharding of every array of a state, a pytree of the same structure.

        placed = jax.device_put(state, of_state(state, shardings(shard_weights=4)))

    An array is distributed over the axis `model` along its longest side that this axis divides;
    one without such a side, or with fewer than `LEAST` elements, lies on every device.

    Args:
        state: a pytree of arrays, or of their shapes.
        over: the result of `shardings`.
    """
    mesh = over.everywhere.mesh
    parts = mesh.shape[MODEL]

    def of(array: Any) -> NamedSharding:
        sides = [axis for axis, side in enumerate(array.shape) if side % parts == 0]
        if parts == 1 or array.size < LEAST or not sides:
            return over.everywhere
        longest = max(sides, key=lambda axis: array.shape[axis])
        return NamedSharding(mesh, PartitionSpec(*[None] * longest, MODEL))

    return jax.tree.map(of, state)


def placed(tree: Any, lies: Any) -> Any:
    """Returns arrays on the devices of all processes.

        now = placed(now, of_state(now, shardings()))

    Args:
        tree: a pytree of arrays, the same in all processes.
        lies: the sharding of every array, a pytree of the same structure.
    """
    if jax.process_count() == 1:
        return jax.device_put(tree, lies)

    def of(array: Any, sharding: NamedSharding) -> jax.Array:
        host = np.asarray(array)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])

    return jax.tree.map(of, tree, lies)


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


def whole(tree: Any) -> Any:
    """Returns arrays as NumPy arrays, wherever their parts lie.

        host = whole(state)

    Parts on the devices of other processes are fetched from there, so all processes have to call
    this together.

    Args:
        tree: a pytree of arrays.
    """

    def of(array: Any) -> np.ndarray:
        if isinstance(array, jax.Array) and not (
            array.is_fully_addressable or array.is_fully_replicated
        ):
            return multihost_utils.process_allgather(array, tiled=True)
        return np.asarray(array)

    return jax.tree.map(of, tree)


def on_one_device(tree: Any) -> Any:
    """Returns whole arrays on one device of this process; called by all processes together.

        params = on_one_device(state.averaged(now))

    Args:
        tree: a pytree of arrays.
    """
    return jax.device_put(whole(tree), jax.local_devices()[0])
