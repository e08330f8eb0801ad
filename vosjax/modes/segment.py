"""`--mode segment`: a video and its masks in; mask files, overlay, scores and a record out.

A run can be interrupted at any frame: what was done is whole, and the same command goes on.
"""

import collections
import concurrent.futures
import contextlib
import pathlib
import shutil
import sys
import warnings
from typing import NamedTuple

from tqdm import tqdm

from vosjax.config import Config
from vosjax.errors import DiskFull, InputError
from vosjax.io.files import disk_full, sweep
from vosjax.io.masks import Masks, read_masks
from vosjax.io.names import printable
from vosjax.io.overlay import overlay
from vosjax.io.palette import DAVIS, masks_done, read_label_png, write_label_png
from vosjax.io.scores import ScoreWriter
from vosjax.io.terminal import say
from vosjax.io.video import Frame, Video, open_video
from vosjax.io.video.network import without_password
from vosjax.io.writer import OverlayWriter
from vosjax.loading.ensembles import of_config
from vosjax.loading.pretrained import Loaded
from vosjax.modes import Options
from vosjax.runs import record
from vosjax.runs.signals import stop_signals
from vosjax.tracking.backward import Merger, Outputs, run_backward
from vosjax.tracking.directions import Passes, plan_passes
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.run import run_tracker
from vosjax.tracking.tracker import Tracker
from vosjax.tracking.video import (
    check_direction,
    check_reached,
    exact_length,
    make_tracker,
    name_of,
)

FLAGS = ("video", "masks", "direction", "output")
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
AHEAD = 8  # frames whose files may be waiting to be written
STATE = pathlib.Path("state") / "tracker.npz"
BACKWARD = STATE.with_name("backward")  # outputs of the backward pass; its state is beside them


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
    before = record.resume(job.folder, job.settings)
    if before and before["status"] == "complete":
        say(f"{job.folder} is complete ({before['frames']} frames); remove it to run again")
        return 0
    for part in ("", "masks", STATE.parent, BACKWARD):
        sweep(job.folder / part)
    print(*job.masks.notes, *(f"note: {doubt}" for doubt in job.masks.doubts), sep="\n")
    tracker, clock = _tracker(job, resumed=before is not None), record.Stopwatch()

    def note(status):
        facts = {
            "speed": clock.facts(),
            "state_bytes": tracker.state_bytes,
            "network": tracker.spec and tracker.spec._asdict(),
            "peak_memory_bytes": record.peak_memory(),
            "missing_frames": job.video.missing,
            "notes": job.video.notes,
        }
        record.write(job.folder, job.settings, status=status, frames=tracker.time, facts=facts)

    note("running")
    for line in [*job.video.notes, *filter(None, [job.passes.note])]:
        warnings.warn(line, stacklevel=2)
    with stop_signals() as stop:
        carry_out(job, tracker, clock, stop)
    note("interrupted" if stop else "complete")
    for line in job.video.findings.reading(job.video.name):
        warnings.warn(line, stacklevel=2)
    if stop:
        backward = job.passes.start is not None and not tracker.time
        where = "on the way back" if backward else f"after {tracker.time} frames"
        say(f"stopped {where}; the same command goes on from there")
        return 130
    shutil.rmtree((job.folder / STATE).parent, ignore_errors=True)
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
    folder = pathlib.Path(options.output)
    if folder.exists() and not folder.is_dir():
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
        "masks": [printable(text) for text in options.masks],
        "masks_sha256": record.digest(masks.labels),
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


def _tracker(job: Job, *, resumed: bool) -> Tracker:
    """A new tracker, or that of the run which is taken up again."""
    state = job.folder / STATE
    if resumed and state.exists():
        tracker = Tracker.restore(state, job.model)
        if masks_done(job.folder / "masks") >= tracker.time:
            return tracker
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


def _go_backward(job: Job, stop: list) -> Merger | None:
    """The backward pass, from where it was; what it said, or None where there is none."""
    start = job.passes.start
    if start is None:
        return None
    outputs, state = Outputs(job.folder / BACKWARD), (job.folder / BACKWARD).with_suffix(".npz")
    if not outputs.complete:
        tracker = (
            Tracker.restore(state, job.model)
            if state.exists()
            else _new_tracker(job, length=start + 1)
        )

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
            for index, output in stack.enter_context(contextlib.closing(frames)):
                outputs.write(index, output)
                bar.update()
                if tracker.time == start - index + 1 and pause(index):
                    tracker.save(state)
                    if stop:
                        break
    return Merger(outputs, job.masks.labels, start)


def carry_out(job: Job, tracker: Tracker, clock: record.Stopwatch, stop: list) -> None:
    """Writes the files of every frame from the tracker's `time` on.

    Args:
      job: what to do.
      tracker: is taken along.
      clock: likewise.
      stop: looked at after each frame; when something is in it, the run ends in good order.
    """
    merged = _go_backward(job, stop)
    if stop:
        return
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
        files = _Files(job, scores, film)
        stack.callback(files.close)
        frames = job.video.stream(0)
        for index, frame in zip(range(first), frames):  # the film is made anew from the masks
            if film is not None:
                labels = read_label_png(_mask(job, index))
                film.write(overlay(frame.image, labels, palette=files.palette), frame.time)
        bar = stack.enter_context(
            tqdm(total=job.video.length, initial=first, unit="frame", file=sys.stderr, disable=None)
        )
        try:
            for index, frame, tracked in run_tracker(
                tracker, frames, followed, pause=pause, stop=lambda: bool(stop)
            ):
                files.put(index, frame, merged(index, frame, tracked) if merged else tracked)
                clock.tick()
                bar.update()
                if tracker.time == index + 1 and pause(index):  # no later frame is under way
                    _save(job, tracker, files)
                    if stop:
                        return
        except InputError as error:
            if tracker.time > first and not isinstance(error, DiskFull):
                _save(job, tracker, files)
            raise
        files.flush()
    if stop:
        return
    check_reached(job.masks, tracker.time, job.video.missing)


def _save(job: Job, tracker: Tracker, files: "_Files"):
    files.flush()
    tracker.save(job.folder / STATE)


def _mask(job: Job, index: int) -> pathlib.Path:
    return job.folder / "masks" / f"{index:05d}.png"


class _Files:
    """Writes the files of frames in a thread, in order."""

    def __init__(self, job: Job, scores: ScoreWriter, film: OverlayWriter | None):
        self.palette = DAVIS if job.masks.palette is None else job.masks.palette
        self._job, self._scores, self._film = job, scores, film
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "files")
        self._waiting = collections.deque()

    def put(self, index: int, frame: Frame, tracked: FrameOutput):
        """Has a frame's files written; raises what went wrong with an earlier one."""
        while len(self._waiting) >= AHEAD or (self._waiting and self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._write, index, frame, tracked))

    def flush(self):
        """Waits until everything is written."""
        while self._waiting:
            self._waiting.popleft().result()

    def close(self):
        """Ends the thread; what has not been begun is dropped."""
        self._thread.shutdown(cancel_futures=True)

    def _write(self, index, frame, tracked):
        # Scores go first: a frame whose mask stands has all its files.
        with disk_full(self._job.folder, frame=index - 1):
            name = printable(name_of(self._job.video, index))
            self._scores.write(index, name, tracked.scores.values())
            if self._film is not None:
                shown = overlay(frame.image, tracked.labels, palette=self.palette)
                self._film.write(shown, frame.time)
            write_label_png(_mask(self._job, index), tracked.labels, self.palette)
