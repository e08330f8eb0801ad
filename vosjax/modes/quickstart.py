"""`--mode quickstart`: the whole way once, on a clip whose truth is known."""

import pathlib

import cv2
import numpy as np

from vosjax.config import Config
from vosjax.data.synthetic.sample import sample_clip
from vosjax.eval.metrics import frame_scores
from vosjax.io.files import atomic
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.io.terminal import say
from vosjax.modes import Options, segment

FLAGS = ("output",)
FIELDS = ("weights", "mem_every", "max_mem_frames", "max_short_side", "dtype", "overlay")
FOLDER = "output/quickstart"


def run(config: Config, options: Options) -> int:
    """Writes the sample clip below `options.output`, segments it as any other, and scores it."""
    folder = pathlib.Path(options.output or FOLDER)
    clip = sample_clip()
    write_clip(folder, clip)
    say(f"a rendered clip of {len(clip['frames'])} frames lies in {folder / 'frames'}")
    code = segment.run(
        config,
        Options(
            video=str(folder / "frames"),
            masks=(str(folder / "first.png"),),
            output=str(folder / "result"),
        ),
    )
    if code:
        return code
    report(folder / "result", clip["labels"])
    return 0


def write_clip(folder: pathlib.Path, clip: dict) -> None:
    """frames/%05d.png and first.png, the mask of frame 0."""
    for index, frame in enumerate(clip["frames"]):
        with atomic(folder / "frames" / f"{index:05d}.png") as temp:
            if not cv2.imwrite(str(temp), frame[..., ::-1]):
                raise OSError(f"OpenCV could not write {temp}")
    write_label_png(folder / "first.png", clip["labels"][0])


def report(result: pathlib.Path, truth: np.ndarray) -> None:
    """Prints J and F of each object, over all frames but the first, and where the files are."""
    objects = [int(id) for id in np.unique(truth[0]) if id]
    pairs = [
        frame_scores(labels, read_label_png(result / "masks" / f"{index:05d}.png"), objects=objects)
        for index, labels in enumerate(truth)
        if index
    ]
    j, f = (100 * np.array(values).mean(0) for values in zip(*pairs))
    say("object      J      F    J&F")
    for row, id in enumerate(objects):
        say(f"{id:6d} {j[row]:6.1f} {f[row]:6.1f} {(j[row] + f[row]) / 2:6.1f}")
    say(f"  mean {j.mean():6.1f} {f.mean():6.1f} {(j.mean() + f.mean()) / 2:6.1f}")
    for name, text in (
        ("overlay.mp4", "the frames with their masks"),
        ("masks/", "a palette PNG for each frame"),
        ("scores.csv", "how sure it was of every object"),
        ("run.json", "settings, versions and speed"),
    ):
        say(f"{result / name}: {text}")
