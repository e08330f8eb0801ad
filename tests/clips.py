"""A clip for tests: coloured squares that wander over a plain background, and their truth."""

import numpy as np

COLOURS = np.array([(40, 60, 50), (220, 40, 40), (40, 220, 60), (60, 60, 230), (230, 220, 40),
                    (220, 60, 220), (40, 220, 220), (250, 140, 40), (120, 40, 140), (140, 90, 40),
                    (90, 140, 240), (190, 230, 140), (240, 180, 200)], np.uint8)


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
            labels[t, top:top + side, left:left + side] = n + 1
    return COLOURS[labels], labels
