"""Writes a dataset of rendered clips of any length, with ground truth in every frame.

    python -m vosjax.eval.rendered_set --output rendered --clips 8 --frames 120 --size 240x432

Objects pass behind each other, leave the frame and come back. The same arguments give the same
clips. The folder has the layout of DAVIS, so `--mode eval --data rendered` runs it.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

import cv2

from vosjax.data.synthetic.motion import Motion
from vosjax.data.synthetic.rendered import RenderedSettings, render_clip
from vosjax.data.synthetic.scene import Scene
from vosjax.data.types import Frames, Labels
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


def settings(frames: int) -> RenderedSettings:
    """Returns settings for clips of `frames` frames, with slow motion and many occlusions.

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
    overwrite: bool = False,
) -> None:
    """Writes rendered clips as a dataset folder in the layout of DAVIS, losslessly.

        write("rendered", clips=8, frames=120, size=(240, 432))

    Args:
        output: the folder to write.
        clips: number of clips.
        frames: number of frames of each clip.
        size: (H, W) of the frames.
        objects: most objects in a clip; the clips have 1, 2, ..., `objects`, 1, 2, ... objects.
        overwrite: whether clips of other settings in the folder are replaced.

    Raises:
        DiskFull: the disk is full.
        InputError: a number is below 1, the folder cannot be written, or it holds other files or
            clips of other settings.
    """
    if min(clips, frames, *size, objects) < 1:
        raise InputError(
            f"{clips} clips of {frames} frames of {size[0]}x{size[1]} with up to {objects} objects "
            "were asked for; at least 1 is expected of each"
        )
    root = pathlib.Path(output)
    record_settings = {"render": dict(zip(_NAMES, (clips, frames, *size, objects)))}
    with held(root, record_settings, overwrite=overwrite, files=lambda: files_of(root, NAME)):
        record.write(root, record_settings, status="running", frames=0, facts={})
        for number in range(clips):
            _write_clip(root, number, frames=frames, size=size, objects=1 + number % objects)
        sync_all()
        record.write(root, record_settings, status="complete", frames=clips * frames, facts={})


def _write_clip(
    root: pathlib.Path, number: int, *, frames: int, size: tuple[int, int], objects: int
) -> None:
    clip = render_clip(
        SEED + number,
        size=size,
        frames=frames,
        objects=objects,
        settings=settings(frames),
        shuffle=False,
    )
    write_video(root, f"{NAME}{number:03d}", clip["frames"], clip["labels"])


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
    options = parser.parse_args(words)
    write(
        options.output,
        clips=options.clips,
        frames=options.frames,
        size=options.size,
        objects=options.objects,
    )


if __name__ == "__main__":
    sys.exit(main())
