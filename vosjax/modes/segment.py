"""`--mode segment`: a video and its masks in; mask files, overlay, scores and a record out.

A run can be interrupted at any frame: what was done is whole, and the same command goes on, if it
is the same work: the same frames, masks, weights and settings (docs/runs.md).
"""

import collections
import concurrent.futures
import contextlib
import os
import pathlib
import sys
import warnings
from typing import NamedTuple

from tqdm import tqdm

from vosjax.config import Config
from vosjax.errors import DiskFull, InputError
from vosjax.io.files import disk_full, sweep, sync, writing
from vosjax.io.masks import Masks, read_masks
from vosjax.io.names import printable
from vosjax.io.overlay import overlay
from vosjax.io.palette import DAVIS, read_label_png, write_label_png
from vosjax.io.scores import ScoreWriter
from vosjax.io.terminal import say
from vosjax.io.video import Frame, Video, open_video
from vosjax.io.video.network import without_password
from vosjax.io.video.types import some
from vosjax.io.writer import OverlayWriter
from vosjax.loading.ensembles import of_config
from vosjax.loading.pretrained import Loaded
from vosjax.modes import Options
from vosjax.runs import books, clear, digests, record
from vosjax.runs.hold import held
from vosjax.runs.signals import stop_signals
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.tracker import Tracker
from vosjax.tracking.video import exact_length, make_tracker, name_of, run_tracker

FLAGS = ("video", "masks", "output", "overwrite")
FIELDS = (
    "weights",
    "mem_every",
    "max_mem_frames",
    "max_short_side",
    "top_k",
    "dtype",
    "tta",
    "overlay",
    "save_every",
)
AHEAD = 8  # frames whose files may be waiting to be written
STATE = pathlib.Path("state") / "tracker.npz"
BOOKS = pathlib.Path("state") / "books.jsonl"


class Job(NamedTuple):
    """What one command asks for."""

    video: Video
    masks: Masks
    model: Loaded
    folder: pathlib.Path
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
        files=lambda: _files(job.folder),
    ) as before:
        if before and before["status"] == "complete":
            _drop_state(job.folder)
            made, frames = before.get("made"), before.get("frames")
            faults = books.faults(made, job.folder)
            if not faults and frames == sum(name.startswith("masks/") for name in made):
                say(f"{job.folder} is complete ({frames} frames); --overwrite runs it again")
                return 0
            say(f"{some(faults or ['run.json lists other masks'])}: the run is made again")
        return _run(job, resumed=before is not None)


def _run(job: Job, *, resumed: bool) -> int:
    """Carries out a job whose folder is locked; returns the exit code."""
    for folder in (job.folder, job.folder / "masks", (job.folder / STATE).parent):
        sweep(folder)
    say(*job.masks.notes, *(f"note: {doubt}" for doubt in job.masks.doubts))
    tracker, clock = _tracker(job, resumed=resumed), record.Stopwatch()

    def note(status, made=None):
        facts = {
            "speed": clock.facts(),
            "state_bytes": tracker.state_bytes,
            "network": tracker.spec and tracker.spec._asdict(),
            "peak_memory_bytes": record.peak_memory(),
            "missing_frames": job.video.missing,
            "notes": job.video.notes,
            **({} if made is None else {"made": made}),
        }
        record.write(job.folder, job.settings, status=status, frames=tracker.time, facts=facts)

    note("running")
    for line in job.video.notes:
        warnings.warn(line, stacklevel=2)
    with stop_signals() as stop:
        masks = carry_out(job, tracker, clock, stop)
    if stop:
        note("interrupted")
    else:
        note("complete", made=_made(job, masks))
    for line in job.video.findings.reading(job.video.name):
        warnings.warn(line, stacklevel=2)
    if stop:
        say(f"stopped after {tracker.time} frames; the same command goes on from there")
        return 130
    _drop_state(job.folder)
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
    model = of_config(config)
    settings = {
        "video": printable(without_password(str(options.video))),
        "video_size": list(video.size),
        "video_frames": video.count,
        "frames_sha256": digests.of_files(video.files),
        "masks": [printable(text) for text in options.masks],
        "masks_sha256": digests.of_labels(masks.labels),
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
    return Job(video, masks, model, folder, settings, config.save_every)


def _tracker(job: Job, *, resumed: bool) -> Tracker:
    """A new tracker, or that of the run which is taken up again."""
    if resumed and (job.folder / STATE).exists():
        try:
            tracker = Tracker.restore(job.folder / STATE, job.model)
            wrong = books.frame_fault(
                job.folder / BOOKS,
                {index: _mask(job, index) for index in range(tracker.time)},
                job.folder / "scores.csv",
            )
        except InputError as error:
            wrong = f"the saved state cannot be taken up ({error})"
        if wrong is None:
            return tracker
        say(f"{wrong}: the run starts anew from frame 0")
    settings = job.settings
    return make_tracker(
        job.model,
        job.video,
        job.masks.labels,
        mem_every=settings["mem_every"],
        max_mem_frames=settings["max_mem_frames"],
        max_short_side=settings["max_short_side"],
    )


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files that a run made, or may have made, in a folder."""
    named = [folder / name for name in ("scores.csv", "overlay.mp4", STATE, BOOKS)]
    return named + clear.matching(folder / "masks", r"\d{5,}\.png")


def _drop_state(folder: pathlib.Path) -> None:
    """Removes what only a run that goes on needs."""
    clear.clear(folder, [folder / STATE, folder / BOOKS])


def _made(job: Job, masks: dict[int, str]) -> dict[str, str]:
    """{file: digest} of all that the run made; the masks' digests are those of its books."""
    named = [job.folder / name for name in ("scores.csv", "overlay.mp4")]
    tables = books.made([path for path in named if path.exists()], job.folder)
    return tables | {f"masks/{_mask(job, index).name}": masks[index] for index in sorted(masks)}


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
    first = tracker.time

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
        files = _Files(job, scores, film, resume=first)
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
                tracker, frames, job.masks.labels, pause=pause, stop=lambda: bool(stop)
            ):
                files.put(index, frame, tracked)
                clock.tick()
                bar.update()
                if tracker.time == index + 1 and pause(index):  # no later frame is under way
                    _save(job, tracker, files)
                    if stop:
                        return files.masks
        except InputError as error:
            if tracker.time > first and not isinstance(error, DiskFull):
                _save(job, tracker, files)
            raise
        files.settle()
    if stop:
        return files.masks
    late = [frame for frame in job.masks.labels if frame >= tracker.time]
    if late:
        raise InputError(
            f"{job.masks.names[late[0]]} was given for frame {late[0]}, the video ended after "
            f"frame {tracker.time - 1}: check the number, frames count from 0"
        )
    return files.masks


def _save(job: Job, tracker: Tracker, files: "_Files"):
    files.settle()  # a state on the disk says that all files of the frames before are there too
    tracker.save(job.folder / STATE)


def _mask(job: Job, index: int) -> pathlib.Path:
    return job.folder / "masks" / f"{index:05d}.png"


class _Files:
    """Writes the files of frames in a thread, in order."""

    def __init__(self, job: Job, scores: ScoreWriter, film: OverlayWriter | None, *, resume: int):
        self.palette = DAVIS if job.masks.palette is None else job.masks.palette
        self._job, self._scores, self._film = job, scores, film
        self._books = books.FrameBooks(job.folder / BOOKS, resume=resume)
        self._unsettled: list[pathlib.Path] = []
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "files")
        self._waiting: collections.deque = collections.deque()

    def put(self, index: int, frame: Frame, tracked: FrameOutput):
        """Has a frame's files written; raises what went wrong with an earlier one."""
        while len(self._waiting) >= AHEAD or (self._waiting and self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._write, index, frame, tracked))

    def flush(self):
        """Waits until everything is written."""
        while self._waiting:
            self._waiting.popleft().result()

    def settle(self):
        """Waits until everything is written, and on the disk."""
        self.flush()
        with writing(self._job.folder):
            sync([*self._unsettled, self._scores.path, self._books.path])
        self._unsettled.clear()

    @property
    def masks(self) -> dict[int, str]:
        """{frame: digest of its mask} of the frames that are written."""
        return self._books.masks

    def close(self):
        """Ends the thread; what has not been begun is dropped."""
        self._thread.shutdown(cancel_futures=True)
        self._books.close()

    def _write(self, index, frame, tracked):
        # Scores go first: a frame whose mask stands has all its files.
        with disk_full(self._job.folder, frame=index - 1):
            name = printable(name_of(self._job.video, index))
            rows = self._scores.write(index, name, tracked.scores.values())
            if self._film is not None:
                shown = overlay(frame.image, tracked.labels, palette=self.palette)
                self._film.write(shown, frame.time)
            mask = _mask(self._job, index)
            write_label_png(mask, tracked.labels, self.palette)
            self._books.note(index, mask=mask, rows=rows)
            self._unsettled.append(mask)
