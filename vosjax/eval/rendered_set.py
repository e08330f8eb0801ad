"""Writes a dataset of rendered clips of any length, with ground truth in every frame.

    python -m vosjax.eval.rendered_set --output rendered --clips 8 --frames 120 --size 240x432
    python -m vosjax.eval.rendered_set --output small --size 480x854 --object-size 0.02,0.1

Objects pass behind each other, leave the frame and come back. The same arguments give the same
clips. The folder has the layout of DAVIS, so `--mode eval --data rendered` runs it.
"""

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import cv2

from vosjax.data.synthetic.motion import Motion
from vosjax.data.synthetic.rendered import RenderedSettings, render_clip
from vosjax.data.synthetic.scene import Scene
from vosjax.data.types import Clip, Frames, Labels
from vosjax.datasets.decode import Picture
from vosjax.errors import InputError
from vosjax.io.door import Parser, count, guarded, size
from vosjax.io.files import atomic, sync_all
from vosjax.io.palette import write_label_png
from vosjax.runs import clear, record
from vosjax.runs.hold import held

# The settings of a rendered folder, as its record names them.
_NAMES = ("clips", "frames", "height", "width", "objects")
NAME = "rendered"  # and a number: the name of a video
SEED = 8_000_000  # differs from those of training and validation clips
TRAVEL = 16  # objects move as far in a clip of any length as in so many frames at full speed
LEAVE = 0.4  # probability that an object leaves the frame and comes back
OBJECT_SIZE = RenderedSettings().size
LEAST = 16  # pixels that an object exceeds in frame 0, where a size of the objects is asked for
DRAWS = 20  # clips that are drawn at most until one shows an object in frame 0
REDRAW = 100_000  # from the seed of a clip to that of the one drawn in its place


def settings(frames: int, object_size: tuple[float, float] = OBJECT_SIZE) -> RenderedSettings:
    """Returns settings for clips of `frames` frames, with slow motion and many occlusions.

        clips = settings(frames=40)

    Args:
        frames: number of frames.
        object_size: range of an object's longer side, as a share of the frame's.
    """
    motion = Motion().times(min(1, TRAVEL / frames))._replace(leave=LEAVE)
    return RenderedSettings(size=object_size, scene=Scene(motion=motion, cross=0.6))


def write(
    output: str | os.PathLike[str],
    *,
    clips: int,
    frames: int,
    size: tuple[int, int],
    objects: int = 3,
    object_size: tuple[float, float] = OBJECT_SIZE,
    overwrite: bool = False,
) -> None:
    """Writes rendered clips as a dataset folder in the layout of DAVIS, losslessly.

        write("rendered", clips=8, frames=120, size=(240, 432))
        write("small", clips=8, frames=40, size=(480, 854), object_size=(0.02, 0.1))

    Where another `object_size` than the default is asked for, objects may have fewer than a
    hundred pixels in frame 0 (but more than 16), and a clip that shows none is drawn again.

    Args:
        output: the folder to write.
        clips: number of clips.
        frames: number of frames of each clip.
        size: (H, W) of the frames.
        objects: most objects in a clip; the clips have 1, 2, ..., `objects`, 1, 2, ... objects.
        object_size: smallest and largest longer side of an object, as a share of the frame's.
            Outlines keep a margin of 4 pixels within this side, and bodies with limbs are never
            much smaller than 30 pixels.
        overwrite: whether clips of other settings in the folder are replaced.

    Raises:
        DiskFull: the disk is full.
        InputError: a number is below 1, the folder cannot be written, or it holds other files or
            clips of other settings; or objects are so small that none is seen.
    """
    if min(clips, frames, *size, objects) < 1:
        raise InputError(
            f"{clips} clips of {frames} frames of {size[0]}x{size[1]} with up to {objects} objects "
            "were asked for; at least 1 is expected of each"
        )
    low, high = object_size
    if not 0 < low <= high <= 1:
        raise InputError(
            f"objects of {low} to {high} of the frame's longer side were asked for; two numbers "
            "above 0 and up to 1 are expected, the smaller one first"
        )
    root = pathlib.Path(output)
    facts: dict[str, Any] = dict(zip(_NAMES, (clips, frames, *size, objects)))
    if object_size != OBJECT_SIZE:  # folders of the default size know no such setting
        facts["object_size"] = list(object_size)
    record_settings = {"render": facts}
    with held(root, record_settings, overwrite=overwrite, files=lambda: files_of(root, NAME)):
        record.write(root, record_settings, status="running", frames=0, facts={})
        for number in range(clips):
            clip = _drawn(number, size, frames, 1 + number % objects, object_size)
            write_video(root, f"{NAME}{number:03d}", clip["frames"], clip["labels"])
        sync_all()
        record.write(root, record_settings, status="complete", frames=clips * frames, facts={})


def _drawn(
    number: int,
    size: tuple[int, int],
    frames: int,
    objects: int,
    object_size: tuple[float, float],
) -> Clip:
    default = object_size == OBJECT_SIZE
    for draw in range(1 if default else DRAWS):
        clip = render_clip(
            SEED + number + REDRAW * draw,
            size=size,
            frames=frames,
            objects=objects,
            settings=settings(frames, object_size),
            shuffle=False,
            least=None if default else LEAST,
        )
        if default or clip["live"].any():
            return clip
    raise InputError(
        f"none of {DRAWS} clips shows an object of {object_size[0]} to {object_size[1]} of the "
        f"frame's {max(size)} pixels: take larger objects, or larger frames"
    )


def write_video(root: pathlib.Path, name: str, frames: Frames, labels: Labels) -> None:
    """Writes one video into a dataset folder in the layout of DAVIS, losslessly.

        write_video(pathlib.Path("rendered"), "rendered000", clip["frames"], clip["labels"])

    Args:
        root: the folder of the dataset.
        name: of the video.
        frames: uint8 [T, H, W, 3] RGB.
        labels: uint8 [T, H, W] of ids.
    """
    for index, (frame, mask) in enumerate(zip(frames, labels)):
        _write_png(root / "JPEGImages" / name / f"{index:05d}.png", frame)
        write_label_png(root / "Annotations" / name / f"{index:05d}.png", mask)


def files_of(root: pathlib.Path, name: str) -> list[pathlib.Path]:
    """Lists the frames and masks of the videos in a folder whose names are `name` and a number.

    files_of(pathlib.Path("rendered"), "rendered")
    """
    return [
        path
        for kind in ("JPEGImages", "Annotations")
        for clip in clear.matching(root / kind, rf"{name}\d{{3,}}")
        for path in clear.matching(clip, r"\d{5,}\.png")
    ]


def _write_png(path: pathlib.Path, frame: Picture) -> None:
    with atomic(path, durable=False) as temp:
        if not cv2.imwrite(str(temp), frame[..., ::-1]):
            raise OSError(f"OpenCV could not write {temp}")


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the folder; returns the exit code."""
    return guarded("rendered_set", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.eval.rendered_set", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--output", required=True)
    parser.add_argument("--clips", type=count, default=8)
    parser.add_argument("--frames", type=count, default=120)
    parser.add_argument("--size", type=size, default=(240, 432), help="height x width")
    parser.add_argument("--objects", type=count, default=3, help="most in a clip")
    parser.add_argument(
        "--object-size",
        type=_range,
        default=OBJECT_SIZE,
        metavar="LOW,HIGH",
        help="range of an object's longer side, as a share of the frame's",
    )
    options = parser.parse_args(words)
    write(
        options.output,
        clips=options.clips,
        frames=options.frames,
        size=options.size,
        objects=options.objects,
        object_size=options.object_size,
    )


def _range(text: str) -> tuple[float, float]:
    low, _, high = text.partition(",")
    try:
        return float(low), float(high)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"is {text[:20]!r}; two numbers are expected, as in 0.02,0.1"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
