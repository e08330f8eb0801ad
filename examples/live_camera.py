"""Follows objects in a live video, or in a file in place of one.

    python -m examples.live_camera 0                          camera 0; a box in the middle
    python -m examples.live_camera dog.mp4 --masks dog.png    a file; the mask of its first frame

Prints one line a frame. `Tracker.submit` returns before the frame is computed, so that the camera
is read in the meantime; what it returns is called for the result.
"""

import argparse
import itertools

import numpy as np

import vosjax
from vosjax.io.masks import read_masks
from vosjax.io.video import open_video


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", help="a camera's index, an address, or a video file")
    parser.add_argument("--masks", help="a mask of the first frame; a box if left out")
    parser.add_argument("--frames", type=int, help="stop after so many frames")
    parser.add_argument("--weights", help="a folder of weights; the embedded default if left out")
    options = parser.parse_args(arguments)

    video = open_video(options.video)
    mask = box(video.size)
    if options.masks:
        mask = read_masks(options.masks, size=video.size).labels[0]
    tracker = vosjax.Tracker(vosjax.load(options.weights), max_short_side=480)

    waiting = None  # the result of the frame before
    frames = itertools.islice(video.stream(0), options.frames)
    for index, frame in enumerate(frames):
        result = tracker.submit(frame.image, mask if index == 0 else None)
        if waiting:
            show(index - 1, *waiting())
        waiting = result
    show(index, *waiting())


def box(size):
    """Labels uint8 [H, W]: object 1 is the middle ninth of the frame."""
    height, width = size
    labels = np.zeros(size, np.uint8)
    labels[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 1
    return labels


def show(index, labels, scores):
    """What you would draw: here a line with the size and the confidence of every object."""
    objects = (
        f"object {id}: {score.area} pixels, probability {score.mean_probability:.2f}"
        for id, score in scores.items()
    )
    print(f"frame {index}:", "; ".join(objects))


if __name__ == "__main__":
    main()
