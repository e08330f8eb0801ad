"""Refines the masks of a dataset run, or of any other program, video by video."""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.eval import audit
from vosjax.eval import folder as run_folder
from vosjax.eval.videos import EvalVideo, frame_size, read_frame
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.refine.labels import refine_label_maps
from vosjax.refine.offline import Stages, refine_labels_of
from vosjax.refine.refiner import Counts, added
from vosjax.refine.zoom.files import of_labels
from vosjax.runs import digests
from vosjax.runs.waiting import waiting_masks


def masks_folder(source: pathlib.Path) -> pathlib.Path:
    """Returns the folder of a run's masks, or the folder itself if it holds masks directly.

        masks_folder(pathlib.Path("runs/davis"))        # runs/davis/masks

    Args:
        source: the folder of a run, or of masks.
    """
    return source / "masks" if (source / "masks").is_dir() else source


def refine_sequence(
    masks: pathlib.Path, video: EvalVideo, folder: pathlib.Path, stages: Stages, *, year: int
) -> dict[str, Any]:
    """Refines the masks of one video and writes them, and the video's record last.

        refine_sequence(pathlib.Path("runs/a/masks"), video, out, stages, year=2017)

    Frames in which an object is given keep their masks.

    Args:
        masks: folder of the masks, VIDEO/FRAME.png.
        video: the video of the dataset to which they belong.
        folder: the output folder.
        stages: what refines the masks.
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
    for index, labels, counts in _refined(masks, video, stages):
        refined = added(refined, counts)
        write_label_png(run_folder.mask_file(folder, video, index), labels)
    facts = {
        "name": video.name,
        "frames": len(video.frames),
        "computed": len(run_folder.frames_to_write(video)),
        "objects": len(video.starts),
        "refined": refined,
    }
    run_folder.finish(folder, video, facts | {"inputs": inputs(masks, video, year=year)})
    return facts


def refine_in_place(folder: pathlib.Path, video: EvalVideo, stages: Stages) -> None:
    """Refines the masks that a run has just written for a video, unless this has been done.

        refine_in_place(pathlib.Path("runs/a"), video, stages)

    The refined masks wait in a folder of the run until all of them exist; what a killed process
    left there is removed first. The video's record is removed before they replace the unrefined
    ones, and is written again afterwards, with the counts of the refinement; so a run that is
    stopped here leaves the video either as it was, or to be run again. The table of scores stays
    that of the network's own masks. The caller holds the video's lock.

    Args:
        folder: the folder of the run.
        video: a complete video.
        stages: what refines the masks.

    Raises:
        InputError: a mask or a frame cannot be read, or a file cannot be written.
    """
    facts = run_folder.read_record(folder, video)
    if facts is None or facts.get("zoomed"):
        return
    kept = {name: fact for name, fact in facts.items() if name not in ("files", "made")}
    refined: Counts = {}
    with waiting_masks(folder, video.name) as waiting:
        for index, labels, counts in _refined(folder / "masks", video, stages):
            refined = added(refined, counts)
            write_label_png(waiting / f"{index}.png", labels)
        run_folder.forget(folder, video)
        for index in sorted(run_folder.frames_to_write(video)):
            labels = read_label_png(waiting / f"{index}.png")
            write_label_png(run_folder.mask_file(folder, video, index), labels)
    run_folder.finish(
        folder, video, kept | {"refined": refined, "zoomed": True}, kinds=facts["files"]
    )


def is_through(folder: pathlib.Path, video: EvalVideo, stages: Stages) -> bool:
    """Returns whether a video is complete, including the zoom of its small objects if asked for.

        is_through(pathlib.Path("runs/a"), video, stages)

    Args:
        folder: the folder of the run.
        video: a video of its dataset.
        stages: what refines the masks.
    """
    facts = run_folder.done(folder, video)
    return facts is not None and (stages.zoomer is None or bool(facts.get("zoomed")))


def _refined(
    masks: pathlib.Path, video: EvalVideo, stages: Stages
) -> Iterator[tuple[int, np.ndarray, Counts]]:
    """Yields the refined labels of all frames that are written, and the counts of each."""
    indices = sorted(run_folder.frames_to_write(video))

    def labels_of(number: int) -> np.ndarray:
        source = masks / video.name / f"{video.frames[indices[number]]}.png"
        labels = read_label_png(source)
        check_size(labels, frame_size(video, indices[number]), source)
        return labels

    if stages.zoomer is not None:
        segmented = of_labels(
            lambda start, stop: (read_frame(video, index) for index in indices[start:stop]),
            labels_of,
            length=len(indices),
            size=frame_size(video, indices[0]),
            given={
                key: (indices.index(start),)
                for key, start in video.starts.items()
                if start in indices
            },
        )
        for frame in refine_labels_of(segmented, stages):
            yield indices[frame.index], frame.labels, frame.counts
        return
    assert stages.refiner is not None
    maps = (
        (index, read_frame(video, index), labels_of(number), index in video.given)
        for number, index in enumerate(indices)
    )
    slots = len(video.starts)
    for index, labels, counts in refine_label_maps(stages.refiner, maps, slots=slots):
        yield index, labels, added({}, counts)


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


def check_size(labels: np.ndarray, size: tuple[int, ...], path: pathlib.Path) -> None:
    """Raises InputError unless a mask has the size (H, W) of its frame.

        check_size(labels, frame.shape[:2], pathlib.Path("masks/00000.png"))

    Args:
        labels: the mask, [H, W].
        size: (height, width) of the frame.
        path: the mask's file, for the message.
    """
    if labels.shape != size:
        raise InputError(
            "{} is {} x {}, its frame is {} x {} (width x height): name the video that the masks "
            "are of".format(path, *labels.shape[::-1], *size[::-1])
        )
