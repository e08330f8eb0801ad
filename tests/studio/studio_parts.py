"""What tests of the studio share: networks, frames on disk, and what is known of a video."""

import av
import cv2
import numpy as np
from support import toy

from vosjax.interactive.marker import MarkModel

SIDE = 64  # of the window of the network that marks
MODEL = toy.model()  # one, so that it is compiled once


def marker():
    """A network that takes what is boxed or clicked for the object, and nothing else."""

    def segment(features, clues):
        box, inside, outside, mask = np.moveaxis(clues, -1, 0)
        return np.where(outside > 0, 0, np.maximum.reduce([box, inside, mask])).astype(np.float32)

    return MarkModel(SIDE, lambda image: None, segment)


def write_frames(folder, frames):
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        assert cv2.imwrite(str(folder / f"{index:05d}.png"), frame[..., ::-1])
    return folder


def encoded(path, frames, *, gop=4):
    """Writes frames as an H.264 video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": str(gop)})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path
