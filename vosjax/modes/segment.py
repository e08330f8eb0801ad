"""`--mode segment`: a video and its masks in; mask files, overlay, scores and a record out.

A run can be interrupted at any frame: what was done is whole, and the same command goes on, if it
is the same work: the same frames, masks, weights and settings (docs/runs.md).
"""

import contextlib
import os
import pathlib
import sys
import warnings
from typing import NamedTuple

from tqdm import tqdm

from vosjax.config import Config
from vosjax.errors import InputError, Note
from vosjax.io.files import sweep
from vosjax.io.masks import Masks, read_masks
from vosjax.io.names import printable
from vosjax.io.overlay import overlay
from vosjax.io.palette import DAVIS, read_label_png
from vosjax.io.scores import ScoreWriter
from vosjax.io.terminal import say
from vosjax.io.video import Video, open_video
from vosjax.io.video.network import without_password
from vosjax.io.video.types import some
from vosjax.io.writer import OverlayWriter
from vosjax.loading.ensembles import of_config
from vosjax.loading.pretrained import Loaded
from vosjax.modes import Options
from vosjax.runs import books, digests, record
from vosjax.runs.frame_files import (
    BACKWARD,
    BOOKS,
    STATE,
    FrameFiles,
    drop_state,
    made,
    mask_file,
    run_files,
)
from vosjax.runs.hold import held
from vosjax.runs.signals import stop_signals
from vosjax.tracking.backward import Merger, Outputs, Unread, run_backward, up_to_damage
from vosjax.tracking.directions import Passes, plan_passes
from vosjax.tracking.run import run_tracker
from vosjax.tracking.tracker import Tracker
from vosjax.tracking.video import (
    check_direction,
    check_reached,
    exact_length,
    make_tracker,
    name_of,
)

FLAGS = ("video", "masks", "direction", "output", "overwrite")
FIELDS = (
    "weights",
    "mem_every",
    "max_mem_frames",
    "max_short_side",
    "top_k",
    "dtype",
    "tta",
    "direction",
    "overlay",
    "save_every",
)
ALSO = ("family", "model", "members", "only", "feedback", "fuse", "keypoints")
SILENT = 3.0  # seconds that a film may be read at the start without a bar


class Job(NamedTuple):
    """What one command asks for."""

    video: Video
    masks: Masks
    model: Loaded
    folder: pathlib.Path
    passes: Passes
    settings: dict  # everything that decides the result; compared when a run is resumed
    save_every: int  # frames from one saved state to the next


def run(config: Config, options: Options) -> int:
    """Segments `options.video`, given `options.masks`, into the folder `options.output`.

    Returns:
      0, or 130 after Ctrl-C.

    Raises:
      InputError: something that was given cannot be used.
    """
    job = prepare_job(config, options)
    with held(
        job.folder,
        job.settings,
        overwrite=options.overwrite,
        files=lambda: run_files(job.folder),
    ) as before:
        if before and before["status"] == "complete":
            drop_state(job.folder)
            files, frames = before.get("made"), before.get("frames")
            faults = books.faults(files, job.folder)
            if not faults and frames == sum(name.startswith("masks/") for name in files or {}):
                say(f"{job.folder} is complete ({frames} frames); --overwrite runs it again")
                return 0
            say(f"{some(faults or ['run.json lists other masks'])}: the run is made again")
        return _run(job, resumed=before is not None)


def _run(job: Job, *, resumed: bool) -> int:
    """Carries out a job whose folder is locked; returns the exit code."""
    for folder in ("", "masks", STATE.parent, BACKWARD):
        sweep(job.folder / folder)
    say(*job.masks.notes, *(f"note: {doubt}" for doubt in job.masks.doubts))
    tracker, clock = _tracker(job, resumed=resumed), record.Stopwatch()

    def note(status, files=None):
        facts = {
            "speed": clock.facts(),
            "state_bytes": tracker.state_bytes,
            "network": tracker.spec and tracker.spec._asdict(),
            "peak_memory_bytes": record.peak_memory(),
            "missing_frames": job.video.missing,
            "notes": job.video.notes,
            **({} if files is None else {"made": files}),
        }
        record.write(job.folder, job.settings, status=status, frames=tracker.time, facts=facts)

    note("running")
    for line in [*job.video.notes, *filter(None, [job.passes.note])]:
        warnings.warn(line, Note, stacklevel=2)
    with stop_signals() as stop:
        masks = carry_out(job, tracker, clock, stop)
    if stop:
        note("interrupted")
    else:
        note("complete", files=made(job.folder, masks))
    for line in job.video.findings.reading(job.video.name):
        warnings.warn(line, Note, stacklevel=2)
    if stop:
        backward = job.passes.start is not None and not tracker.time
        where = "on the way back" if backward else f"after {tracker.time} frames"
        say(f"stopped {where}; the same command goes on from there")
        return 130
    drop_state(job.folder)
    speed = clock.facts()["frames_per_second"]
    say(
        f"{tracker.time} frames{f' at {speed:.2f} frames/s' if speed else ''}; "
        f"results in {job.folder}"
    )
    return 0


def prepare_job(config: Config, options: Options) -> Job:
    """Reads and checks everything that was given, before anything is written."""
    for name in ("video", "output"):
        if getattr(options, name) is None:
            raise InputError(f"--{name} is missing; segmenting takes --video, --masks and --output")
    if not options.masks:
        raise InputError(
            "--masks is missing: a mask of the first frame, a folder of masks, or "
            "FRAME=FILE, possibly several times"
        )
    assert options.output is not None  # was looked at above
    folder = pathlib.Path(options.output)
    if os.path.lexists(folder) and not folder.is_dir():
        raise InputError(f"--output {folder} is a file; name a folder")
    direction = config.direction if options.direction is None else options.direction
    check_direction(direction, "--direction")
    video = open_video(options.video)
    masks = read_masks(
        options.masks[0] if len(options.masks) == 1 else list(options.masks),
        video.names,
        size=video.size,
        count=exact_length(options.video, video),
    )
    highest = max(int(labels.max()) for labels in masks.labels.values())
    if highest > 255:
        raise InputError(
            f"the masks hold object ids up to {highest}; mask files have room for 255: "
            "renumber the objects"
        )
    passes = plan_passes(direction, masks.labels, name=video.name, once=video.once)
    model = of_config(config)
    settings = {
        "video": printable(without_password(str(options.video))),
        "video_size": list(video.size),
        "video_frames": video.count,
        "frames_sha256": _digest(video),
        "masks": [printable(text) for text in options.masks],
        "masks_sha256": digests.of_labels(masks.labels),
        "direction": passes.direction,
        "family": model.config["family"],
        "model": model.config["model"],
        "mem_every": model.config["mem_every"],
        "max_mem_frames": model.config["max_mem_frames"],
        "max_short_side": config.max_short_side,
        "dtype": model.config["dtype"],
        "overlay": config.overlay,
        "weights": config.weights,
        "weights_sha256": model.card.get("sha256", ""),
    }
    return Job(video, masks, model, folder, passes, settings, config.save_every)


def _digest(video: Video) -> str | None:
    """The digest of the video's files; of a large film, which takes a while, with a bar."""
    with tqdm(
        total=sum(file.stat().st_size for file in video.files if file.exists()),
        desc="reading",
        unit="B",
        unit_scale=True,
        delay=SILENT,
        leave=False,
        file=sys.stderr,
        disable=None,
    ) as bar:
        return digests.of_files(video.files, progress=bar.update)


def _tracker(job: Job, *, resumed: bool) -> Tracker:
    """A new tracker, or that of the run which is taken up again."""
    if resumed and (job.folder / STATE).exists():
        try:
            tracker = Tracker.restore(job.folder / STATE, job.model)
            wrong = books.frame_fault(
                job.folder / BOOKS,
                {index: mask_file(job.folder, index) for index in range(tracker.time)},
                job.folder / "scores.csv",
            )
        except InputError as error:
            wrong = f"the saved state cannot be taken up ({error})"
        if wrong is None:
            return tracker
        say(f"{wrong}: the run starts anew from frame 0")
    return _new_tracker(job)


def _new_tracker(job: Job, length: int | None = None) -> Tracker:
    settings = job.settings
    return make_tracker(
        job.model,
        job.video,
        job.masks.labels,
        mem_every=settings["mem_every"],
        max_mem_frames=settings["max_mem_frames"],
        max_short_side=settings["max_short_side"],
        length=length,
    )


def _backward_tracker(job: Job, state: pathlib.Path, start: int) -> Tracker:
    """A new tracker for the pass backward, or that of the run which is taken up again."""
    if state.exists():
        try:
            return Tracker.restore(state, job.model)
        except InputError as error:
            say(f"the saved state cannot be taken up ({error}): the pass backward starts anew")
    return _new_tracker(job, length=start + 1)


def _go_backward(job: Job, stop: list) -> Merger | None:
    """The backward pass, from where it was; what it said, or None where there is none."""
    start = job.passes.start
    if start is None:
        return None
    outputs, state = Outputs(job.folder / BACKWARD), (job.folder / BACKWARD).with_suffix(".npz")
    unread: list[Unread] = []
    if not outputs.complete:
        tracker = _backward_tracker(job, state, start)

        def pause(index):
            return bool(stop) or (start - index + 1) % job.save_every == 0

        with contextlib.ExitStack() as stack:
            bar = stack.enter_context(
                tqdm(
                    total=start + 1,
                    initial=tracker.time,
                    desc="backward",
                    unit="frame",
                    file=sys.stderr,
                    disable=None,
                )
            )
            frames = run_backward(
                tracker, job.video, job.masks.labels, start, pause=pause, stop=lambda: bool(stop)
            )
            stack.enter_context(contextlib.closing(frames))
            for index, output in up_to_damage(frames, start, unread):
                outputs.write(index, output)
                bar.update()
                if tracker.time == start - index + 1 and pause(index):
                    tracker.save(state)
                    if stop:
                        break
    if unread and job.passes.direction == "backward":
        raise unread[0].error
    return Merger(outputs, job.masks.labels, start, *unread)


def carry_out(job: Job, tracker: Tracker, clock: record.Stopwatch, stop: list) -> dict[int, str]:
    """Writes the files of every frame from the tracker's `time` on.

    Args:
      job: what to do.
      tracker: is taken along.
      clock: likewise.
      stop: looked at after each frame; when something is in it, the run ends in good order.

    Returns:
      {frame: digest of its mask} of all frames that are done.
    """
    merged = _go_backward(job, stop)
    if stop:
        return {}
    first = tracker.time
    followed = {} if job.passes.direction == "backward" else job.masks.labels

    def pause(index):
        return bool(stop) or (index + 1) % job.save_every == 0

    with contextlib.ExitStack() as stack:
        scores = stack.enter_context(ScoreWriter(job.folder / "scores.csv", resume=first))
        film = (
            stack.enter_context(
                OverlayWriter(
                    job.folder / "overlay.mp4",
                    fps=job.video.fps,
                    size=job.video.size,
                )
            )
            if job.settings["overlay"]
            else None
        )
        palette = DAVIS if job.masks.palette is None else job.masks.palette
        files = FrameFiles(job.folder, palette, scores, film, resume=first)
        stack.callback(files.close)
        frames = job.video.stream(0)
        for index, frame in zip(range(first), frames):  # the film is made anew from the masks
            if film is not None:
                labels = read_label_png(mask_file(job.folder, index))
                film.write(overlay(frame.image, labels, palette=palette), frame.time)
        bar = stack.enter_context(
            tqdm(total=job.video.length, initial=first, unit="frame", file=sys.stderr, disable=None)
        )
        try:
            for index, frame, tracked in run_tracker(
                tracker, frames, followed, pause=pause, stop=lambda: bool(stop)
            ):
                labels, scores_of = merged(index, frame, tracked) if merged else tracked
                files.put(index, printable(name_of(job.video, index)), frame, labels, scores_of)
                clock.tick()
                bar.update()
                if tracker.time == index + 1 and pause(index):  # no later frame is under way
                    _save(job, tracker, files)
                    if stop:
                        return files.masks
        except InputError:
            if tracker.time > first and not files.failed:
                _save(job, tracker, files)
            raise
        files.settle()
    if stop:
        return files.masks
    check_reached(job.masks, tracker.time, job.video.missing)
    return files.masks


def _save(job: Job, tracker: Tracker, files: FrameFiles) -> None:
    files.settle()  # a state on the disk says that all files of the frames before are there too
    tracker.save(job.folder / STATE)
