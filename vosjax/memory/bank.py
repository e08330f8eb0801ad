"""The memory of every network: a ring bank of fixed capacity over any pytree of entries.

An entry goes to the first free slot. If none is free, it replaces the oldest frame that the user
did not annotate. So a video of any length needs a fixed amount of memory. A bank that may still
grow is doubled between frames (`compose.groups.enlarge`), which does not change results.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


class Bank(NamedTuple):
    """A memory with M slots.

    data    pytree, every leaf [M, ...]
    valid   [M] bool    the slot holds an entry
    pinned  [M] bool    the entry comes from an annotated frame and is never evicted
    time    [M] int32   index of the entry's frame
    """

    data: Any
    valid: jax.Array
    pinned: jax.Array
    time: jax.Array


def init(entry: Any, capacity: int) -> Bank:
    """Makes an empty bank.

        bank = memory.init({"key": jnp.zeros((P, C)), "value": jnp.zeros((P, D))}, capacity=8)

    Args:
        entry: a pytree of arrays, or of their shapes and dtypes, with the structure of entries.
        capacity: number of slots M.
    """
    data = jax.tree.map(lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), entry)
    return Bank(
        data, jnp.zeros(capacity, bool), jnp.zeros(capacity, bool), jnp.zeros(capacity, jnp.int32)
    )


def write(bank: Bank, entry: Any, *, time: ArrayLike, when: ArrayLike, pin: ArrayLike) -> Bank:
    """Stores an entry in the first free slot, or else in place of the oldest one not pinned.

        bank = memory.write(bank, entry, time=12, when=remember, pin=annotated)

    If all slots hold pinned entries, an annotated frame replaces the oldest of them, and any other
    frame is not stored. The tracker grows the bank before that happens.

    Args:
        bank: the bank.
        entry: a pytree of arrays with the shapes of one slot.
        time: int32 scalar, the index of the frame.
        when: bool scalar, traced or not; False leaves the bank unchanged.
        pin: bool scalar; True keeps the entry until it is unpinned.
    """
    latest = np.iinfo(np.int32).max
    age = jnp.where(bank.valid, jnp.where(bank.pinned, latest, bank.time), -1)
    pinned_age = jnp.where(bank.valid, bank.time, -1)
    all_pinned = jnp.all(bank.valid & bank.pinned)
    slot = jnp.where(all_pinned, jnp.argmin(pinned_age), jnp.argmin(age))
    when = jnp.asarray(when) & (~all_pinned | jnp.asarray(pin))

    def put(rows: jax.Array, row: ArrayLike) -> jax.Array:
        old = jax.lax.dynamic_index_in_dim(rows, slot, 0, keepdims=False)
        new = jnp.where(when, jnp.asarray(row, rows.dtype), old)
        return jnp.asarray(jax.lax.dynamic_update_index_in_dim(rows, new, slot, 0))

    return Bank(
        jax.tree.map(put, bank.data, entry),
        put(bank.valid, True),
        put(bank.pinned, pin),
        put(bank.time, time),
    )


def unpin(bank: Bank, annotated: jax.Array | np.ndarray[Any, Any]) -> Bank:
    """Unpins all entries except those of some frames, so that they can be evicted.

        bank = memory.unpin(bank, jnp.array([0, 40]))      # only frames 0 and 40 stay pinned

    Args:
        bank: the bank.
        annotated: [K] int32, the indices of the frames that stay pinned; negative ones are ignored.
    """
    kept = (bank.time[:, None] == annotated).any(1)
    return bank._replace(pinned=bank.pinned & kept)


def drop(bank: Bank, dropped: jax.Array) -> Bank:
    """Empties some slots.

        bank = memory.drop(bank, bank.time < 100)

    Args:
        bank: the bank.
        dropped: [M] bool, the slots to empty.
    """
    return bank._replace(valid=bank.valid & ~dropped, pinned=bank.pinned & ~dropped)
