"""Refines the masks of one video: a run of `segment`, or a folder of palette PNGs of any program.

Files are written one after another and noted in the run's books (`runs.books`), so that a run
which was stopped, however, goes on behind the last frame whose file is whole.
"""

import contextlib
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from vosjax.errors import InputError
from vosjax.eval.refining import check_size, masks_folder
from vosjax.io.files import sweep, sync
from vosjax.io.masks import read_masks
from vosjax.io.names import printable, some
from vosjax.io.overlay import draw_boxes, overlay
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.io.refusals import writing
from vosjax.io.terminal import say
from vosjax.io.video import Video, open_video
from vosjax.io.video.network import without_password
from vosjax.io.writer import OverlayWriter
from vosjax.modes._mask_files import mask_files, palette_of
from vosjax.refine.labels import refine_label_maps
from vosjax.refine.offline import RefinedLabels, Stages, refine_labels_of
from vosjax.refine.refiner import Counts, added
from vosjax.refine.zoom.files import of_labels
from vosjax.runs import books, clear, digests, record
from vosjax.runs.frame_files import BOOKS
from vosjax.runs.hold import held
from vosjax.runs.signals import stop_signals
from vosjax.tracking.directions import given_frames
from vosjax.tracking.video import exact_length

Boxes = Mapping[int, tuple[int, int, int, int]]

OVERLAY = "overlay.mp4"
STOPPED = 130  # exit code after Ctrl-C


def refine_video(
    source: pathlib.Path,
    folder: pathlib.Path,
    stages: Stages,
    before: Mapping[str, Any],
    *,
    video: str,
    given: tuple[str, ...],
    with_overlay: bool,
    show: bool,
    overwrite: bool,
) -> int:
    """Refines the masks of a video into a new folder; returns the exit code.

        refine_video(source, out, stages, {}, video="dog.mp4", given=(), with_overlay=True, ...)

    Args:
        source: a run of `segment`, or a folder of label PNGs that are named as the frames are, or
            by their numbers.
        folder: the output folder.
        stages: refine the masks.
        before: settings of the run that made them; {} for another program's.
        video: the frames.
        given: masks that a user gave, as for `segment`; their frames are left as they are.
        with_overlay: whether overlay.mp4 is written.
        show: whether it shows the crops of small objects.
        overwrite: begin anew.

    Raises:
        InputError: there are no masks, or they are not the video's.
    """
    frames = open_video(video)
    files = mask_files(masks_folder(source), frames, by_index="video" in before)
    marked: Mapping[int, np.ndarray] = {}
    if given:
        texts = given[0] if len(given) == 1 else list(given)
        masks = read_masks(texts, frames.names, size=frames.size, count=exact_length(video, frames))
        marked = masks.labels
    settings = {
        "refined": printable(source),
        "video": printable(without_password(video)),
        "video_size": list(frames.size),
        "frames_sha256": digests.of_files(frames.files),
        "masks_sha256": digests.of_files(files.values()),
        "given": sorted(marked),
        "overlay": with_overlay,
        "refine": stages.settings,
    }

    def made_files() -> list[pathlib.Path]:
        names = [folder / OVERLAY, folder / BOOKS]
        return names + clear.matching(folder / "masks", r"[^.].*\.png")

    with held(folder, settings, overwrite=overwrite, files=made_files) as present:
        if present and present["status"] == "complete":
            faults = books.faults(present.get("made"), folder)
            if not faults:
                say(f"{folder} is complete ({len(files)} masks); --overwrite runs it again")
                return 0
            say(f"{some(faults)}: the run is made again")
        return _refine(folder, settings, frames, files, marked, stages, show=show)


def _refine(
    folder: pathlib.Path,
    settings: dict[str, Any],
    video: Video,
    files: dict[int, pathlib.Path],
    given: Mapping[int, np.ndarray],
    stages: Stages,
    *,
    show: bool,
) -> int:
    """Does what is left in a folder that is locked; returns the exit code."""
    for part in ("", "masks", BOOKS.parent):
        sweep(folder / part)
    out = {index: folder / "masks" / path.name for index, path in files.items()}
    counted, done = _done(folder, out)
    record.write(folder, settings, status="running", frames=len(done), facts={})
    left = {index: path for index, path in files.items() if index not in done}
    written = books.FrameBooks(folder / BOOKS, resume=min(left, default=max(files) + 1))
    total: Counts = {}
    for index in done:
        total = added(total, counted[index])
    with stop_signals() as stop, contextlib.ExitStack() as stack:
        stack.callback(written.close)
        bar = stack.enter_context(
            tqdm(total=len(files), initial=len(done), unit="mask", file=sys.stderr, disable=None)
        )
        palette, boxes = palette_of(files[min(files)]), dict[int, Boxes]()
        for frame in _refined(video, files, left, given, stages, again=show):
            index, own = frame.index, frame.counts
            boxes[index] = frame.boxes
            if index not in left:
                continue
            labels = frame.labels
            write_label_png(out[index], labels, palette)
            written.note(index, mask=out[index], rows=b"", counts=own)
            total = added(total, own)
            bar.update()
            if stop:
                break
    with writing(folder):
        sync([out[index] for index in written.masks])
    if stop:
        record.write(
            folder,
            settings,
            status="interrupted",
            frames=len(written.masks),
            facts={"refined": total},
        )
        say(f"stopped after {len(written.masks)} masks; the same command goes on from there")
        return STOPPED
    if len(written.masks) < len(files):
        raise InputError(
            f"{video.name} has no frame {min(set(files) - set(written.masks))}, for which there is "
            "a mask: name the video that the masks are of"
        )
    tables = {}
    if settings["overlay"]:
        _draw(folder / OVERLAY, video, out, palette, boxes if show else {})
        tables = books.made([folder / OVERLAY], folder)
    made = tables | {f"masks/{out[index].name}": written.masks[index] for index in sorted(out)}
    record.write(
        folder,
        settings,
        status="complete",
        frames=len(files),
        facts={"refined": total, "made": made},
    )
    clear.clear(folder, [folder / BOOKS])
    say(f"{len(files)} masks; results in {folder}", *stages.counts_lines(total))
    return 0


def _done(
    folder: pathlib.Path, out: Mapping[int, pathlib.Path]
) -> tuple[dict[int, Counts], list[int]]:
    """{frame: its counts} of an earlier run, and its first frames whose files are whole."""
    entries = books.read_frames(folder / BOOKS)
    done: list[int] = []
    for index in sorted(out):
        entry = entries.get(index)
        if entry is None or books.file_fault(out[index], entry["mask"]):
            break
        done.append(index)
    return {index: entries[index].get("counts", {}) for index in done}, done


def _refined(
    video: Video,
    files: Mapping[int, pathlib.Path],
    left: Mapping[int, pathlib.Path],
    given: Mapping[int, np.ndarray],
    stages: Stages,
    *,
    again: bool,
) -> Iterator[RefinedLabels]:
    """The refined labels of the frames that are left.

    The zoom looks at a video as a whole, so with it all frames come that have masks; and they come
    `again`, for their crops, where no frame is left.
    """
    if stages.zoomer is not None:
        if left or again:
            yield from _zoomed(video, files, given, stages)
        return
    assert stages.refiner is not None

    def maps() -> Iterator[tuple[tuple[int, np.ndarray], np.ndarray, np.ndarray, bool]]:
        for index, image in _frames(video, left):
            labels = read_label_png(files[index])
            check_size(labels, image.shape[:2], files[index])
            yield (index, image), image, labels, index in given

    for (index, image), labels, counts in refine_label_maps(stages.refiner, maps()):
        yield RefinedLabels(index, image, labels, added({}, counts), {})


def _zoomed(
    video: Video, files: Mapping[int, pathlib.Path], given: Mapping[int, np.ndarray], stages: Stages
) -> Iterator[RefinedLabels]:
    indices = sorted(files)

    def frames(start: int, stop: int) -> Iterator[np.ndarray]:
        wanted = {index: files[index] for index in indices[start:stop]}
        return (image for _, image in _frames(video, wanted))

    def labels_of(number: int) -> np.ndarray:
        path = files[indices[number]]
        labels = read_label_png(path)
        check_size(labels, video.size, path)
        return labels

    segmented = of_labels(
        frames,
        labels_of,
        length=len(indices),
        size=video.size,
        given={
            id: [number for number, index in enumerate(indices) if index in set(own.tolist())]
            for id, own in given_frames(given).items()
        },
    )
    for frame in refine_labels_of(segmented, stages):
        yield frame._replace(index=indices[frame.index])


def _frames(video: Video, left: Mapping[int, Any]) -> Iterator[tuple[int, np.ndarray]]:
    """The frames for which something is left to do."""
    if not left:
        return
    first = min(left)
    with contextlib.closing(video.stream(first)) as stream:
        for index, frame in enumerate(stream, first):
            if index in left:
                yield index, frame.image
            if index >= max(left):
                return


def _draw(
    path: pathlib.Path,
    video: Video,
    masks: Mapping[int, pathlib.Path],
    palette: np.ndarray,
    boxes: Mapping[int, Boxes],
) -> None:
    """Writes the overlay of all frames; one without a mask shows that of the frame before."""
    labels = np.zeros(video.size, np.uint8)
    drawn: Boxes = {}
    with (
        OverlayWriter(path, fps=video.fps, size=video.size) as film,
        contextlib.closing(video.stream(0)) as stream,
    ):
        for index, frame in enumerate(stream):
            if index in masks:
                labels, drawn = read_label_png(masks[index]), boxes.get(index, {})
            shown = overlay(frame.image, labels, palette=palette)
            film.write(draw_boxes(shown, drawn, palette=palette), frame.time)
