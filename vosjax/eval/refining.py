"""Refines the masks of a dataset run, or of any other program, video by video."""

import pathlib
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.eval import audit
from vosjax.eval import folder as run_folder
from vosjax.eval.videos import EvalVideo, read_frame
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.refine.labels import refine_labels
from vosjax.refine.refiner import Counts, Refiner, added
from vosjax.runs import digests


def masks_folder(source: pathlib.Path) -> pathlib.Path:
    """Returns the folder of a run's masks, or the folder itself where it holds the masks.

    masks_folder(pathlib.Path("runs/davis"))        # runs/davis/masks
    """
    return source / "masks" if (source / "masks").is_dir() else source


def refine_sequence(
    masks: pathlib.Path, video: EvalVideo, folder: pathlib.Path, refiner: Refiner, *, year: int
) -> dict[str, Any]:
    """Refines the masks of one video and writes them, and the video's record last.

        refine_sequence(pathlib.Path("runs/a/masks"), video, out, refiner, year=2017)

    Frames in which an object is given keep their masks.

    Args:
        masks: folder of the masks, VIDEO/FRAME.png.
        video: a video of the dataset that they are of.
        folder: the output folder.
        refiner: refines them.
        year: year of DAVIS, see `videos.read_given`.

    Returns:
        The record without its digests.

    Raises:
        InputError: a mask or a frame is missing or damaged, or they differ in size.
    """
    if video.damage:
        raise InputError(video.damage)
    run_folder.forget(folder, video)
    refined: Counts = {}
    slots, indices = len(video.starts), sorted(run_folder.frames_to_write(video))
    for index in indices:
        source = masks / video.name / f"{video.frames[index]}.png"
        labels, frame = read_label_png(source), read_frame(video, index)
        check_size(labels, frame, source)
        new, counts = refine_labels(refiner, frame, labels, given=index in video.given, slots=slots)
        refined = added(refined, counts)
        write_label_png(run_folder.mask_file(folder, video, index), new)
    facts = {
        "name": video.name,
        "frames": len(video.frames),
        "computed": len(indices),
        "objects": len(video.starts),
        "refined": refined,
    }
    run_folder.finish(folder, video, facts | {"inputs": inputs(masks, video, year=year)})
    return facts


def inputs(masks: pathlib.Path, video: EvalVideo, *, year: int) -> audit.Digests:
    """Returns digests of everything that decides a video's refined masks.

        inputs(pathlib.Path("runs/a/masks"), video, year=2017)

    Args:
        masks: as for `refine_sequence`.
        video: as for `refine_sequence`.
        year: as for `refine_sequence`.

    Raises:
        InputError: a file cannot be read.
    """
    files = [
        masks / video.name / f"{video.frames[index]}.png"
        for index in sorted(run_folder.frames_to_write(video))
    ]
    return audit.inputs(video, year=year) | {f"the masks in {masks}": digests.of_files(files) or ""}


def check_size(labels: np.ndarray, frame: np.ndarray, path: pathlib.Path) -> None:
    """Raises InputError unless a mask has the size of its frame.

    check_size(labels, frame, pathlib.Path("masks/00000.png"))
    """
    if labels.shape != frame.shape[:2]:
        raise InputError(
            "{} is {} x {}, its frame is {} x {} (width x height): name the video that the masks "
            "are of".format(path, *labels.shape[::-1], *frame.shape[1::-1])
        )
