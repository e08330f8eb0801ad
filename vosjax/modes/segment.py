"""`--mode segment`: segments a video, given masks; writes masks, an overlay, scores and a record.

A run can be interrupted at any frame: all files written so far are complete. The same command
continues it, provided that frames, masks, weights and settings are the same (docs/runs.md).
"""

import contextlib
import sys
import warnings
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from vosjax.config import Config
from vosjax.errors import InputError, Note
from vosjax.io.files import sweep
from vosjax.io.names import printable, some
from vosjax.io.overlay import overlay
from vosjax.io.palette import DAVIS, read_label_png
from vosjax.io.scores import ScoreWriter
from vosjax.io.terminal import say
from vosjax.io.video import Frame
from vosjax.io.writer import OverlayWriter
from vosjax.modes import Options
from vosjax.modes._segment_job import Job, backward_tracker, prepare_job, starting_tracker
from vosjax.modes._segment_zoom import zoom_run
from vosjax.refine.refiner import added
from vosjax.runs import books, machine, record
from vosjax.runs.frame_files import (
    BACKWARD,
    STATE,
    FrameFiles,
    drop_state,
    made,
    mask_file,
    run_files,
)
from vosjax.runs.hold import held
from vosjax.runs.profile import Profile
from vosjax.runs.signals import stop_signals
from vosjax.tracking.backward import Merger, Outputs, Unread, run_backward, up_to_damage
from vosjax.tracking.run import run_tracker
from vosjax.tracking.tracker import Tracker
from vosjax.tracking.video import check_reached, name_of

FLAGS = ("video", "masks", "boxes", "points", "direction", "output", "overwrite")
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
    "refine",
    "profile",
)
ALSO = ("family", "model", "members", "only", "feedback", "fuse", "keypoints")


def run(config: Config, options: Options) -> int:
    """Segments `options.video`, given `options.masks`, into the folder `options.output`.

        code = run(opened("default"), Options(video="dog.mp4", masks=("dog.png",), output="out"))

    Args:
        config: the config.
        options: the command's flags.

    Returns:
        The exit code: 0, or 130 after Ctrl-C.

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
    tracker, clock = starting_tracker(job, resumed=resumed), machine.Stopwatch()
    zoomed: dict[str, int] = {}

    def note(status: str, files: dict[str, str] | None = None) -> None:
        facts = {
            "speed": clock.facts(),
            "state_bytes": tracker.state_bytes,
            "network": tracker.spec and tracker.spec._asdict(),
            "peak_memory_bytes": machine.peak_memory(),
            "missing_frames": job.video.missing,
            "notes": job.video.notes,
            **({"objects": dict(job.masks.objects)} if job.masks.objects else {}),
            **({"refined": zoomed or tracker.refined} if any(job.stages) else {}),
            **({} if files is None else {"made": files}),
        }
        record.write(job.folder, job.settings, status=status, frames=tracker.time, facts=facts)

    note("running")
    for line in [*job.video.notes, *filter(None, [job.passes.note])]:
        warnings.warn(line, Note, stacklevel=2)
    with stop_signals() as stop:
        masks = carry_out(job, tracker, clock, stop)
        if job.stages.zoomer is not None and not stop:
            masks = zoom_run(job, tracker.time, zoomed, stop)
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
    say(*job.stages.told(zoomed or tracker.refined))
    return 0


def _go_backward(job: Job, forward: Tracker, stop: list[int]) -> Merger | None:
    """Makes the backward pass, or continues it; returns its merger, or None without such a pass.

    What its refinement counted is added to the counts of `forward`, the tracker of the forward
    pass.
    """
    start = job.passes.start
    if start is None:
        return None
    outputs, state = Outputs(job.folder / BACKWARD), (job.folder / BACKWARD).with_suffix(".npz")
    unread: list[Unread] = []
    if not outputs.complete:
        tracker = backward_tracker(job, state, start)

        def pause(index: int) -> bool:
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
        if outputs.complete:
            forward.refined = added(forward.refined, tracker.refined)
    if unread and job.passes.direction == "backward":
        raise unread[0].error
    return Merger(outputs, job.masks.labels, start, *unread)


def carry_out(
    job: Job, tracker: Tracker, clock: machine.Stopwatch, stop: list[int]
) -> dict[int, str]:
    """Writes the files of every frame from the tracker's `time` on.

        masks = carry_out(job, tracker, machine.Stopwatch(), stop=[])

    Args:
        job: what to do.
        tracker: the tracker of the forward pass, which advances.
        clock: measures the time of the frames.
        stop: examined after each frame; once it holds an item, the run ends in good order.

    Returns:
        {frame index: digest of its mask} of all frames that are done.
    """
    merged = _go_backward(job, tracker, stop)
    if stop:
        return {}
    first = tracker.time
    followed = {} if job.passes.direction == "backward" else job.masks.labels

    def pause(index: int) -> bool:
        return bool(stop) or (index + 1) % job.save_every == 0

    with contextlib.ExitStack() as stack:
        scores = stack.enter_context(ScoreWriter(job.folder / "scores.csv", resume=first))
        drawn = job.settings["overlay"] and job.stages.zoomer is None
        film = stack.enter_context(_new_film(job)) if drawn else None
        palette = DAVIS if job.masks.palette is None else job.masks.palette
        files = FrameFiles(job.folder, palette, scores, film, resume=first)
        stack.callback(files.close)
        frames = job.video.stream(0)
        _draw_again(job, film, palette, frames, first)
        bar = stack.enter_context(
            tqdm(total=job.video.length, initial=first, unit="frame", file=sys.stderr, disable=None)
        )
        run = run_tracker(tracker, frames, followed, pause=pause, stop=lambda: bool(stop))
        profile = Profile(job.folder, job.profile)
        try:
            for index, frame, tracked in profile.over(run, start=first):
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
        if job.stages.zoomer is not None and not stop:
            tracker.save(job.folder / STATE)  # so that a zoom that is stopped can begin again
    if stop:
        return files.masks
    check_reached(job.masks, tracker.time, job.video.missing)
    return files.masks


def _new_film(job: Job) -> OverlayWriter:
    return OverlayWriter(job.folder / "overlay.mp4", fps=job.video.fps, size=job.video.size)


def _draw_again(
    job: Job,
    film: OverlayWriter | None,
    palette: np.ndarray,
    frames: Iterator[Frame],
    count: int,
) -> None:
    """Skips the first frames, which are done; a film cannot be continued, so it is drawn again."""
    for index, frame in zip(range(count), frames):
        if film is not None:
            labels = read_label_png(mask_file(job.folder, index))
            film.write(overlay(frame.image, labels, palette=palette), frame.time)


def _save(job: Job, tracker: Tracker, files: FrameFiles) -> None:
    files.settle()  # a state on the disk says that all files of the frames before are there too
    tracker.save(job.folder / STATE)
