"""Makes docs/pictures/quickstart.webp: the quickstart's clip beside the masks that it gets.

    python -m docs.make_picture

On the left the frames as the network gets them, on the right the same ones with its masks. The mask
of the first frame is the user's; all others are predicted.
"""

import pathlib

import numpy as np
from PIL import Image

import vosjax
from vosjax.data.synthetic.sample import sample_clip
from vosjax.io.overlay import overlay
from vosjax.io.terminal import say

PICTURE = pathlib.Path(__file__).parent / "pictures" / "quickstart.webp"
DURATION = 120  # milliseconds that a frame is shown
QUALITY = 60  # of lossy WebP, 0..100: 30 pairs of frames stay below 400 kB
GAP = 8  # pixels between the two pictures


def make(path: pathlib.Path = PICTURE) -> None:
    """Segments the clip and writes the animation."""
    clip = sample_clip()
    results = vosjax.segment(clip["frames"], clip["labels"][0])
    pairs = [
        beside(frame, overlay(frame, result.labels))
        for frame, result in zip(clip["frames"], results)
    ]
    first, *others = (Image.fromarray(pair) for pair in pairs)
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=DURATION,
        loop=0,
        quality=QUALITY,
        method=6,
    )
    say(f"{path}: {len(pairs)} frames, {path.stat().st_size / 1000:.0f} kB")


def beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two pictures uint8 [H, W, 3] as one, with a white line between them."""
    return np.concatenate([left, np.full((len(left), GAP, 3), 255, np.uint8), right], 1)


if __name__ == "__main__":
    make()
