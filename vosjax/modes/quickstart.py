"""`--mode quickstart`: the whole way once, on a clip whose truth is known."""

import pathlib

import cv2
import numpy as np

from vosjax.config import Config
from vosjax.data.synthetic.sample import sample_clip
from vosjax.errors import InputError
from vosjax.eval.metrics import frame_scores
from vosjax.io.files import atomic
from vosjax.io.names import some
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.io.terminal import say
from vosjax.io.video import read_image
from vosjax.modes import Options, segment
from vosjax.runs import record

FLAGS = ("output", "overwrite")
FIELDS = ("weights", "mem_every", "max_mem_frames", "max_short_side", "dtype", "overlay")
ALSO = (
    "profile",
    "family",
    "model",
    "members",
    "only",
    "feedback",
    "fuse",
    "keypoints",
    "refine",
    "direction",
    "save_every",
    "top_k",
    "tta",
)
FOLDER = "output/quickstart"


def run(config: Config, options: Options) -> int:
    """Writes the sample clip below `options.output`, segments it like any other, and scores it."""
    folder = pathlib.Path(options.output or FOLDER)
    clip = sample_clip()
    write_clip(folder, clip, overwrite=options.overwrite)
    say(f"a rendered clip of {len(clip['frames'])} frames lies in {folder / 'frames'}")
    code = segment.run(
        config,
        Options(
            video=str(folder / "frames"),
            masks=(str(folder / "first.png"),),
            output=str(folder / "result"),
            overwrite=options.overwrite,
        ),
    )
    if code:
        return code
    report(folder / "result", clip["labels"])
    return 0


def write_clip(folder: pathlib.Path, clip: dict, *, overwrite: bool = False) -> None:
    """Writes frames/%05d.png and first.png, the mask of frame 0; existing ones are kept.

        write_clip(pathlib.Path("output/quickstart"), sample_clip())

    Args:
        folder: the folder of the quickstart.
        clip: the clip, from `sample_clip`.
        overwrite: whether other frames of the same names may be replaced.

    Raises:
        InputError: the folder holds files that are not from a quickstart.
    """
    frames = {f"{index:05d}.png": frame for index, frame in enumerate(clip["frames"])}
    strange = record.strange(folder, {"frames", "first.png", "result"})
    strange += record.strange(folder / "frames", frames)
    there = [name for name in frames if (folder / "frames" / name).exists()]
    if not overwrite:
        strange += [name for name in there if not _shows(folder / "frames" / name, frames[name])]
    if strange:
        raise InputError(
            f"{folder} holds files that no quickstart wrote ({some(strange)}): name a new or "
            "empty folder as --output"
        )
    for name in frames if overwrite else sorted(set(frames) - set(there)):
        with atomic(folder / "frames" / name, durable=False) as temp:
            if not cv2.imwrite(str(temp), frames[name][..., ::-1]):
                raise OSError(f"OpenCV could not write {temp}")
    write_label_png(folder / "first.png", clip["labels"][0])


def _shows(path: pathlib.Path, frame: np.ndarray) -> bool:
    """Returns whether a file is a picture of this frame."""
    try:
        return np.array_equal(read_image(path), frame)
    except InputError:
        return False


def report(result: pathlib.Path, truth: np.ndarray) -> None:
    """Prints J and F of each object over all frames but the first, and where the files are.

    report(pathlib.Path("output/quickstart/result"), sample_clip()["labels"])
    """
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
