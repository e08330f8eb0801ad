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


class Known:
    """What is known of a video, in memory."""

    def __init__(self, count, ids=(1, 2)):
        self.count, self.objects = count, frozenset(ids)
        self.maps, self.rows, self.pinned = {}, {}, {}

    def labels(self, frame):
        return self.maps.get(frame)

    def pins(self):
        return dict(self.pinned)

    def scores(self, frame):
        return self.rows.get(frame, {})

    def ids(self):
        return self.objects

    def pin(self, frame, labels, ids=None):
        """Takes the masks of a frame as the user's, of some objects or of all."""
        ids = self.objects if ids is None else frozenset(ids)
        old = self.maps.get(frame)
        if old is not None:
            rest = np.where(np.isin(old, list(ids)), 0, old)
            labels = np.where(np.isin(labels, list(ids)), labels, rest).astype(np.uint8)
        self.maps[frame] = labels
        self.pinned[frame] = self.pinned.get(frame, frozenset()) | ids
        areas = np.bincount(labels.ravel(), minlength=256)
        fresh = {id: (1.0, int(areas[id]), not areas[id]) for id in ids}
        self.rows[frame] = self.rows.get(frame, {}) | fresh

    def take(self, made):
        """Takes what a propagation made."""
        self.maps[made.frame] = made.labels
        self.rows[made.frame] = self.rows.get(made.frame, {}) | made.scores
