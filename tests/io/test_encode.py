"""Encoding: the same frames make the same file."""

from support.command import FRAMES

from vosjax.io.encode import H264Encoder


def test_the_same_frames_give_the_same_bytes(tmp_path):
    """x264's macroblock tree reads memory that nobody has written: one file in a hundred differs.

    So rarely that only the settings, which x264 writes into the stream, show it for sure.
    """
    contents = set()
    for _ in range(20):
        encoder = H264Encoder(tmp_path / "a.mp4", fps=25.0, size=FRAMES.shape[1:3])
        for index, frame in enumerate(FRAMES):
            encoder.write(frame, index / 25)
        encoder.close()
        contents.add((tmp_path / "a.mp4").read_bytes())
    (content,) = contents
    assert b"mbtree=0" in content or b"x264" not in content
