"""From a user's ids to slots, the places 1..N that networks have for objects, and back."""

import numpy as np


def slots(masks: dict[int, np.ndarray]) -> tuple[int, ...]:
    """The ids in {frame index: labels}, by the frame they first appear in, then by value.

    Slot n (1-based) stands for the id at position n - 1; see `to_slots` and `to_ids`.

    Example:
        slots({0: first, 40: later})  # (1, 7, 3)
    """
    ids = {}
    for frame in sorted(masks):
        ids.update(dict.fromkeys(int(i) for i in np.unique(masks[frame]) if i))
    return tuple(ids)


def to_slots(labels: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    """Labels [H, W] of ids as uint16 [H, W] of slots 1..N, 0 the background.

    Raises:
        ValueError: an id that has no slot.

    Example:
        to_slots(first, (1, 7, 3))
    """
    labels = np.asarray(labels)
    unknown = sorted(set(np.unique(labels).tolist()) - set(ids) - {0})
    if unknown:
        raise ValueError(f"object ids {unknown} have no slot; known are {list(ids)}")
    table = np.zeros(max(ids, default=0) + 1, np.uint16)
    table[list(ids)] = np.arange(1, len(ids) + 1)
    return table[labels]


def to_ids(labels: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    """Labels [H, W] of slots 0..N as [H, W] of ids: uint8, or uint16 where an id is above 255.

    Example:
        to_ids(network_labels, (1, 7, 3))
    """
    dtype = np.uint8 if max(ids, default=0) <= 255 else np.uint16
    return np.array((0, *ids), dtype)[np.asarray(labels)]
