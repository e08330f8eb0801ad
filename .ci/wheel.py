"""What `.ci/wheel` needs: a tiny clip on disk, and the README's five lines of Python over it.

python wheel.py clip     writes clip/%05d.png and first.png
python wheel.py python   runs the five lines
"""

import os
import sys

import numpy as np
from PIL import Image

import vosjax


def clip():
    os.mkdir("clip")
    background = np.random.default_rng(0).integers(0, 80, (48, 64, 3), dtype=np.uint8)
    for index in range(4):
        frame = background.copy()
        frame[12:32, 10 + 4 * index : 30 + 4 * index] = (230, 40, 40)
        Image.fromarray(frame).save(f"clip/{index:05d}.png")
    mask = np.zeros((48, 64), np.uint8)
    mask[12:32, 10:30] = 1
    Image.fromarray(mask).save("first.png")


def five_lines():
    model = vosjax.load()
    for frame in vosjax.segment("clip", "first.png", model=model, max_short_side=65):
        assert frame.labels.dtype == np.uint8 and frame.labels.shape == (48, 64)
        assert 0 <= frame.scores[1].mean_probability <= 1
    assert frame.index == 3


if __name__ == "__main__":
    {"clip": clip, "python": five_lines}[sys.argv[1]]()
