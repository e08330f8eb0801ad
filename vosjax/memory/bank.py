"""The memory of every network: a ring bank of fixed capacity over any pytree of entries.

Slots fill from the first one on, so the valid ones are always a prefix. When all are taken, the
oldest frame that the user did not annotate makes room. A video of any length runs in the same
bytes; a bank that may still grow is doubled between frames, which changes no figure.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Bank(NamedTuple):
    """M slots.

    data    pytree, every leaf [M, ...]
    valid   [M] bool    the slot holds an entry
    pinned  [M] bool    the entry comes from an annotated frame and is never evicted
    time    [M] int32   the frame's index
    """

    data: Any
    valid: jax.Array
    pinned: jax.Array
    time: jax.Array


def init(entry: Any, capacity: int) -> Bank:
    """An empty bank for entries like `entry` (arrays or shapes with dtypes)."""
    data = jax.tree.map(lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), entry)
    return Bank(
        data, jnp.zeros(capacity, bool), jnp.zeros(capacity, bool), jnp.zeros(capacity, jnp.int32)
    )


def write(bank: Bank, entry: Any, *, time, when, pin) -> Bank:
    """Stores `entry`, where `when` holds, in the first free slot, else over the oldest unpinned one.

    In a bank full of pinned frames an annotated frame replaces the oldest of them and any other
    frame is not stored; the tracker grows the bank before that happens.

    Args:
      bank: the bank.
      entry: pytree of arrays shaped like one slot.
      time: int32 scalar, index of the frame.
      when: bool scalar, traced or not; False leaves the bank as it is.
      pin: bool scalar; True keeps the entry for good.
    """
    latest = jnp.iinfo(jnp.int32).max
    age = jnp.where(bank.valid, jnp.where(bank.pinned, latest, bank.time), -1)
    pinned_age = jnp.where(bank.valid, bank.time, -1)
    all_pinned = jnp.all(bank.valid & bank.pinned)
    slot = jnp.where(all_pinned, jnp.argmin(pinned_age), jnp.argmin(age))
    when = jnp.asarray(when) & (~all_pinned | jnp.asarray(pin))

    def put(rows, row):
        old = jax.lax.dynamic_index_in_dim(rows, slot, 0, keepdims=False)
        row = jnp.where(when, jnp.asarray(row, rows.dtype), old)
        return jax.lax.dynamic_update_index_in_dim(rows, row, slot, 0)

    return Bank(
        jax.tree.map(put, bank.data, entry),
        put(bank.valid, True),
        put(bank.pinned, pin),
        put(bank.time, time),
    )


def grow(bank: Bank, capacity: int) -> Bank:
    """The same entries in a bank of larger capacity.

    Raises:
      ValueError: the new capacity is smaller than the present one.
    """
    present = bank.valid.shape[0]
    if capacity < present:
        raise ValueError(
            f"cannot shrink a bank of {present} slots to {capacity}; ask for at least {present}"
        )
    return jax.tree.map(
        lambda leaf: jnp.pad(leaf, [(0, capacity - present)] + [(0, 0)] * (leaf.ndim - 1)), bank
    )
