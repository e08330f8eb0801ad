"""A clip for tests: coloured squares that wander over a plain background, and their truth."""

import numpy as np

COLOURS = np.array(
    [
        (40, 60, 50),
        (220, 40, 40),
        (40, 220, 60),
        (60, 60, 230),
        (230, 220, 40),
        (220, 60, 220),
        (40, 220, 220),
        (250, 140, 40),
        (120, 40, 140),
        (140, 90, 40),
        (90, 140, 240),
        (190, 230, 140),
        (240, 180, 200),
    ],
    np.uint8,
)


def clip(frames=8, height=48, width=64, objects=2, side=None):
    """frames uint8 [T, H, W, 3] and labels uint8 [T, H, W] of `objects` squares."""
    columns = max(int(np.ceil(np.sqrt(objects))), 1)
    cell_h, cell_w = height // columns, width // columns
    side = side or max(min(cell_h, cell_w) * 2 // 3, 3)
    labels = np.zeros((frames, height, width), np.uint8)
    for t in range(frames):
        for n in range(objects):
            top = (n // columns) * cell_h + (t % max(cell_h - side, 1))
            left = (n % columns) * cell_w + (t % max(cell_w - side, 1))
            labels[t, top : top + side, left : left + side] = n + 1
    return COLOURS[labels], labels


def textured_clip(frames=6, size=(96, 128), side=40, seed=0):
    """frames and labels of two squares with key points, over a ground with key points.

    They move by 8 pixels a frame, a cell of the toy's.
    """
    rng = np.random.default_rng(seed)
    ground, *things = (
        rng.integers(0, 255, (*size, 3), dtype=np.uint8)
        .repeat(4, 0)
        .repeat(4, 1)[: size[0], : size[1]]
        for _ in range(3)
    )
    images, labels = np.repeat(ground[None], frames, 0), np.zeros((frames, *size), np.uint8)
    for t in range(frames):
        for key, (x, y) in ((1, (8 * t, 0)), (2, (size[1] - side - 8 * t, size[0] - side))):
            images[t, y : y + side, x : x + side] = things[key - 1][:side, :side]
            labels[t, y : y + side, x : x + side] = key
    return images, labels
