"""A tracker in a loop: objects are added, corrected and removed while the video goes on.

    python -m examples.come_and_go dog.mp4 dog.png

The ids are your own, 1 to 255. Adding an object compiles nothing as long as a slot is free, and the
slot of one that was removed becomes free again.
"""

import argparse
import pathlib
import tempfile

import numpy as np

import vosjax
from vosjax.io.masks import read_masks
from vosjax.io.video import open_video


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", help="a video file or a folder of images, of 4 frames or more")
    parser.add_argument("mask", help="a mask of its first frame")
    parser.add_argument("--weights", help="a folder of weights; the embedded default if left out")
    options = parser.parse_args(arguments)

    video = open_video(options.video)
    model = vosjax.load(options.weights)
    tracker = vosjax.Tracker(model, objects=4)  # room for four objects is compiled for at once
    mask = read_masks(options.mask, size=video.size).labels[0]

    for index, frame in enumerate(video.frames()):
        if index == 0:
            tracker.add(mask)  # what is added waits for the next step
        if index == 1:  # a new object, 200, in the upper left corner
            corner = np.zeros(video.size, np.uint8)
            corner[: video.size[0] // 4, : video.size[1] // 4] = 200
            tracker.add(corner)
        if index == 2:  # the same id again corrects it
            tracker.add(np.roll(corner, video.size[1] // 8, axis=1))
        if index == 3:
            tracker.remove(200)
            tracker = saved_and_restored(tracker, model)
        labels, scores = tracker.step(frame)
        print(f"frame {index}: followed {tracker.objects}, seen {np.unique(labels).tolist()}")
    print(f"programs traced: {tracker.traces}; state: {tracker.state_bytes} bytes")


def saved_and_restored(tracker, model):
    """The same tracker from a file, as another process would take it up: bit for bit the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "tracker.npz"
        tracker.save(path)
        return vosjax.Tracker.restore(path, model)


if __name__ == "__main__":
    main()
