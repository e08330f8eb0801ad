"""Checks what a command of `--mode segment` asks for, and makes the trackers that carry it out."""

import os
import pathlib
import sys
from typing import Any, NamedTuple

from tqdm import tqdm

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.masks import Masks, read_masks
from vosjax.io.names import printable
from vosjax.io.terminal import say
from vosjax.io.video import Video, open_video
from vosjax.io.video.network import without_password
from vosjax.loading.ensembles import composed_network
from vosjax.loading.pretrained import Loaded
from vosjax.modes import Options, _marks
from vosjax.refine.offline import Stages
from vosjax.refine.refiner import load_refiner
from vosjax.runs import books, digests
from vosjax.runs.frame_files import BOOKS, STATE, mask_file
from vosjax.tracking.directions import Passes, plan_passes
from vosjax.tracking.tracker import Tracker
from vosjax.tracking.video import check_direction, exact_length, make_tracker
from vosjax.tracking.zoomer import load_zoomer

SILENT = 3.0  # seconds of reading the video before a progress bar is shown


class Job(NamedTuple):
    """What a command asks for.

    video       the video to be segmented
    masks       masks of some of its frames
    model       the model, from `load`, as the config describes it
    folder      the run's --output
    passes      the passes over the video
    settings    everything that decides the result; compared when a run is continued
    save_every  number of frames from one saved state to the next
    stages      what refines the masks: boundaries frame by frame, or after the zoom of small
                objects
    show        whether the overlay shows the crops of small objects
    profile     the first and the last frame that are profiled, or None
    """

    video: Video
    masks: Masks
    model: Loaded
    folder: pathlib.Path
    passes: Passes
    settings: dict[str, Any]
    save_every: int
    stages: Stages = Stages()
    show: bool = False
    profile: tuple[int, int] | None = None


def prepare_job(config: Config, options: Options) -> Job:
    """Reads and checks everything that was given, before anything is written.

        job = prepare_job(config, Options(video="dog.mp4", masks=("dog.png",), output="out"))

    Args:
        config: the config.
        options: the command's flags.

    Raises:
        InputError: something is missing or cannot be used.
    """
    for name in ("video", "output"):
        if getattr(options, name) is None:
            raise InputError(f"--{name} is missing; segmenting takes --video, --masks and --output")
    if not (options.masks or options.boxes or options.points):
        raise InputError(
            "--masks is missing: a mask of the first frame, a folder of masks, or "
            "FRAME=FILE, possibly several times; or boxes or points of objects, as in "
            "--boxes 120,80,64,48"
        )
    assert options.output is not None  # checked above
    folder = pathlib.Path(options.output)
    if os.path.lexists(folder) and not folder.is_dir():
        raise InputError(f"--output {folder} is a file; name a folder")
    direction = config.direction if options.direction is None else options.direction
    check_direction(direction, "--direction")
    video = open_video(options.video)
    masks = _read_marks(options, video)
    highest = max(int(labels.max()) for labels in masks.labels.values())
    if highest > 255:
        raise InputError(
            f"the masks hold object ids up to {highest}; mask files have room for 255: "
            "renumber the objects"
        )
    passes = plan_passes(direction, masks.labels, name=video.name, once=video.once)
    model = composed_network(config)
    settings = {
        "video": printable(without_password(str(options.video))),
        "video_size": list(video.size),
        "video_frames": video.count,
        "frames_sha256": _digest(video),
        "masks": [printable(text) for text in options.masks],
        **{
            name: [printable(text) for text in getattr(options, name)]
            for name in ("boxes", "points")
            if getattr(options, name)
        },
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
    stages = Stages(load_zoomer(config.refine, model), load_refiner(config.refine))
    if stages.zoomer is not None and video.once:
        raise InputError(
            f"config.refine.zoom reads a video several times, and {video.name} can be read once "
            "only: zoom in its finished run, by --mode refine with a recording"
        )
    if any(stages):
        settings["refine"] = stages.settings
    if stages.zoomer is not None:
        settings["refine"] = stages.settings | {"show": config.refine.show}
    return Job(
        video,
        masks,
        model,
        folder,
        passes,
        settings,
        config.save_every,
        stages,
        config.refine.show,
        config.profile,
    )


def _read_marks(options: Options, video: Video) -> Masks:
    """Reads the masks of a command, and makes masks of its boxes and points."""
    masks = None
    if options.masks:
        masks = read_masks(
            options.masks[0] if len(options.masks) == 1 else list(options.masks),
            video.names,
            size=video.size,
            count=exact_length(options.video, video),
        )
    if options.boxes or options.points:
        count = exact_length(options.video, video)
        return _marks.with_marks(masks, options.boxes, options.points, video, count=count)
    assert masks is not None  # one of the three is given
    return masks


def _digest(video: Video) -> str | None:
    """Returns the digest of the video's files; a bar shows the progress of a large film."""
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


def starting_tracker(job: Job, *, resumed: bool) -> Tracker:
    """Makes a tracker, or restores that of the run to be continued.

        tracker = starting_tracker(job, resumed=False)

    If part of that run is unusable or differs from its record, the user is told so, and the run
    starts from frame 0.

    Args:
        job: what the command asks for.
        resumed: whether the folder holds a run that is to be continued.
    """
    if resumed and (job.folder / STATE).exists():
        try:
            tracker = Tracker.restore(job.folder / STATE, job.model, refine=job.stages.online)
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
        refine=job.stages.online,
    )


def backward_tracker(job: Job, state: pathlib.Path, start: int) -> Tracker:
    """Makes a tracker for the backward pass, or restores that of the run to be continued.

        tracker = backward_tracker(job, job.folder / "state" / "backward.npz", start=60)

    Args:
        job: what the command asks for.
        state: the file of the tracker's state.
        start: index of the frame at which the pass begins.
    """
    if state.exists():
        try:
            return Tracker.restore(state, job.model, refine=job.stages.online)
        except InputError as error:
            say(f"the saved state cannot be taken up ({error}): the pass backward starts anew")
    return _new_tracker(job, length=start + 1)
