"""What benches run on: random frames, and labels in which every object has its place."""

import numpy as np


def noise(size: tuple[int, int], count: int) -> list[np.ndarray]:
    """Returns frames uint8 [H, W, 3] of random colours, the same every time.

    noise((480, 854), 8)
    """
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(count)]


def columns(size: tuple[int, int], objects: int) -> np.ndarray:
    """Returns labels uint8 [H, W] in which each object is a column of the frame.

    columns((480, 854), 3)
    """
    places = np.arange(size[1]) * (objects + 1) // size[1]
    return np.broadcast_to(places, size).astype(np.uint8)
