"""Arrays over all devices of the process as a training lays them, for tests of its step."""

import jax

from vosjax.train import device


def shared(batch):
    """Every device holds its rows of a batch."""
    return jax.device_put(batch, device.shardings().split)


def copied(weights):
    """Every device holds the weights."""
    return jax.device_put(weights, device.shardings().everywhere)
