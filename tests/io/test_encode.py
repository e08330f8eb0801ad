"""Encoding: the same frames make the same file."""

import numpy as np
from support.command import FRAMES

from vosjax.io.encode import H264Encoder


def test_the_same_frames_give_the_same_bytes_whatever_was_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    contents = set()
    for _ in range(300):
        junk = [rng.integers(0, 255, size, np.uint8) for size in rng.integers(100, 400_000, 5)]
        del junk
        encoder = H264Encoder(tmp_path / "a.mp4", fps=25.0, size=FRAMES.shape[1:3])
        for index, frame in enumerate(FRAMES):
            encoder.write(frame, index / 25)
        encoder.close()
        contents.add((tmp_path / "a.mp4").read_bytes())
    assert len(contents) == 1
