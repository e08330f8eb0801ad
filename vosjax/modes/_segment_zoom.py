"""Zooms small objects in the masks that a segmentation has just written, before it is complete."""

import contextlib
import itertools
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from vosjax.io.files import sync, write_bytes
from vosjax.io.overlay import draw_boxes, overlay
from vosjax.io.palette import DAVIS, read_label_png, write_label_png
from vosjax.io.refusals import writing
from vosjax.io.scores import COLUMNS, rows_by_frame, with_areas
from vosjax.io.writer import OverlayWriter
from vosjax.modes._segment_job import Job
from vosjax.refine.offline import refine_video
from vosjax.refine.zoom.files import of_labels
from vosjax.runs import digests
from vosjax.runs.frame_files import mask_file
from vosjax.runs.waiting import waiting_masks
from vosjax.tracking.directions import given_frames


def zoom_run(job: Job, count: int, counts: dict[str, int], stop: Sequence[int]) -> dict[int, str]:
    """Refines the masks of a run in its folder, and writes its overlay anew.

    The table of scores gets the areas of the refined masks; its probabilities stay the network's.

        masks = zoom_run(job, tracker.time, counts, stop)

    The refined masks wait in a folder of the run until all are there, so that a run that is stopped
    keeps its own: the same command then begins the zoom again, and removes what a killed one left.
    One that is killed while masks are replaced is found out by its books, and made again.

    Args:
        job: whose frames are all segmented.
        count: number of its frames.
        counts: is filled with what was done: {name: how many}.
        stop: looked at after each frame; when something is in it, nothing is replaced.

    Returns:
        {frame: digest of its mask}; {} where it was stopped.
    """
    palette = DAVIS if job.masks.palette is None else job.masks.palette
    video = of_labels(
        lambda start, stop: _images(job, start, stop),
        lambda index: read_label_png(mask_file(job.folder, index)),
        length=count,
        size=job.video.size,
        given=given_frames(job.masks.labels),
    )
    with contextlib.ExitStack() as stack:
        waiting = stack.enter_context(waiting_masks(job.folder))
        film = stack.enter_context(_film(job)) if job.settings["overlay"] else None
        ids = np.array([0, *video.ids], np.uint8)
        bar = stack.enter_context(
            tqdm(total=count, desc="zoom", unit="frame", file=sys.stderr, disable=None)
        )
        times = (frame.time for frame in job.video.stream(0))
        for frame, time in zip(refine_video(video, job.stages, counts), times):
            labels = ids[frame.probs.argmax(0)]
            write_label_png(waiting / f"{frame.index}.png", labels, palette)
            if film is not None:
                shown = overlay(frame.image, labels, palette=palette)
                boxes = frame.boxes if job.show else {}
                film.write(draw_boxes(shown, boxes, palette=palette), time)
            bar.update()
            if stop:
                if film is not None:
                    film.discard()
                return {}
        masks = [mask_file(job.folder, index) for index in range(count)]
        rows, scores = [], rows_by_frame(job.folder / "scores.csv")
        for index, path in enumerate(masks):
            labels = read_label_png(waiting / f"{index}.png")
            write_label_png(path, labels, palette)
            rows.append(with_areas(scores.get(index, b""), labels))
    header = ",".join(COLUMNS).encode() + b"\n"
    write_bytes(job.folder / "scores.csv", header + b"".join(rows))
    with writing(job.folder):
        sync(masks)
    return {index: digests.of_file(path) for index, path in enumerate(masks)}


def _images(job: Job, start: int, stop: int) -> Iterator[np.ndarray]:
    with contextlib.closing(job.video.stream(start)) as stream:
        for frame in itertools.islice(stream, stop - start):
            yield frame.image


def _film(job: Job) -> OverlayWriter:
    return OverlayWriter(job.folder / "overlay.mp4", fps=job.video.fps, size=job.video.size)
