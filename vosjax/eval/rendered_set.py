"""A dataset folder of rendered clips, for measuring what needs truth in every frame, at any length.

    python -m vosjax.eval.rendered_set --output rendered --clips 8 --frames 120 --size 240x432

Objects pass behind each other, leave the frame and come back; the truth knows. The same arguments
give the same clips. The folder has the layout of DAVIS, so `--mode eval --data rendered` runs it.
"""

import argparse
import os
import pathlib

import cv2

from vosjax.data.synthetic.motion import Motion
from vosjax.data.synthetic.rendered import RenderedSettings, render_clip
from vosjax.data.synthetic.scene import Scene
from vosjax.datasets.decode import Picture
from vosjax.errors import InputError
from vosjax.io.files import atomic
from vosjax.io.palette import write_label_png

SEED = 8_000_000  # apart from those of training and validation clips
TRAVEL = 16  # a clip of any length moves as far as one of so many frames at full speed
LEAVE = 0.4  # probability that an object leaves the frame and comes back


def settings(frames: int) -> RenderedSettings:
    """The settings of clips of so many frames: slow, with much leaving, returning and crossing.

    clips = settings(frames=40)
    """
    motion = Motion().times(min(1, TRAVEL / frames))._replace(leave=LEAVE)
    return RenderedSettings(scene=Scene(motion=motion, cross=0.6))


def write(
    output: str | os.PathLike[str],
    *,
    clips: int,
    frames: int,
    size: tuple[int, int],
    objects: int = 3,
) -> None:
    """Writes rendered clips as a dataset folder, losslessly.

        write("rendered", clips=8, frames=120, size=(240, 432))

    Args:
        output: the folder.
        clips: their number.
        frames: of each clip.
        size: (H, W) of the frames.
        objects: most in a clip; clips have 1, 2, ... objects in turns.

    Raises:
        DiskFull: the disk is full.
        InputError: a number is below 1, or the folder cannot be written.
    """
    if min(clips, frames, *size, objects) < 1:
        raise InputError(
            f"{clips} clips of {frames} frames of {size[0]}x{size[1]} with up to {objects} objects "
            "were asked for; at least 1 is expected of each"
        )
    for number in range(clips):
        clip = render_clip(
            SEED + number,
            size=size,
            frames=frames,
            objects=1 + number % objects,
            settings=settings(frames),
            shuffle=False,
        )
        name = f"rendered{number:03d}"
        for index, (frame, labels) in enumerate(zip(clip["frames"], clip["labels"])):
            _write_png(pathlib.Path(output) / "JPEGImages" / name / f"{index:05d}.png", frame)
            write_label_png(
                pathlib.Path(output) / "Annotations" / name / f"{index:05d}.png", labels
            )


def _write_png(path: pathlib.Path, frame: Picture) -> None:
    with atomic(path) as temp:
        if not cv2.imwrite(str(temp), frame[..., ::-1]):
            raise OSError(f"OpenCV could not write {temp}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", required=True)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--size", default="240x432", help="height x width")
    parser.add_argument("--objects", type=int, default=3, help="most in a clip")
    options = parser.parse_args()
    height, width = (int(side) for side in options.size.split("x"))
    write(
        options.output,
        clips=options.clips,
        frames=options.frames,
        size=(height, width),
        objects=options.objects,
    )


if __name__ == "__main__":
    main()
