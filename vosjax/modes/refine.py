"""`--mode refine`: the masks of a finished run, or of any other program, made better.

Small objects are segmented again in enlarged crops (`refine.zoom`), by the config's network, and
boundaries are refined (`refine.boundary`). Palette PNGs and their frames are enough. The
masks of one video (a run of `segment`, or a folder of PNGs) take --video, those of a dataset (a run
of `eval` or `fuse`, or a folder of folders) take --data; a run of this program names its own. The
same command goes on where it was stopped (docs/refinement.md).
"""

import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from vosjax.config import Config
from vosjax.errors import DiskFull, InputError
from vosjax.eval import folder as run_folder
from vosjax.eval import refining, source
from vosjax.eval.config import recorded
from vosjax.eval.videos import EvalVideo
from vosjax.modes import Options
from vosjax.modes._refine_video import refine_video
from vosjax.modes._scored_run import load_stages, run_scored
from vosjax.refine.offline import Stages
from vosjax.runs import record

FLAGS = ("input", "video", "masks", "data", "output", "overwrite")
FIELDS = ("refine", "weights", "mem_every", "max_mem_frames", "dtype", "tta", "overlay", "eval")
ALSO = ("family", "model", "members", "only", "feedback", "fuse", "keypoints", "top_k")


def run(config: Config, options: Options) -> int:
    """Refines the masks in `options.input` into the folder `options.output`.

    Returns:
        0; 1 where videos of a dataset failed; 130 after Ctrl-C.

    Raises:
        InputError: something that was given cannot be used.
    """
    if options.input is None or options.output is None:
        raise InputError(
            "--input or --output is missing; refining takes --input MASKS --output DIR, and "
            "--video or --data for the frames"
        )
    if not config.refine.boundary and not config.refine.zoom:
        raise InputError(
            "no refinement is asked for: name weights by --config.refine.boundary=FOLDER, "
            "or zoom small objects by --config.refine.zoom=mask"
        )
    masks, folder = pathlib.Path(options.input), pathlib.Path(options.output)
    if not masks.is_dir():
        raise InputError(f"--input {masks} is no folder: name a run, or a folder of masks")
    before = record.read(masks)
    if before is not None and before["status"] != "complete":
        raise InputError(f"{masks} is {before['status']}: let it finish (the same command goes on)")
    settings = {} if before is None else before["settings"]
    stages = load_stages(config)
    data = options.data or settings.get("data")
    if data is not None and options.video is None:
        return _refine_dataset(config, options, stages, str(data), settings)
    if options.video is None and "video" not in settings:
        raise InputError(
            f"{masks} does not say which frames its masks are of: name them by --video (masks of "
            "one video) or --data (folders of masks)"
        )
    return refine_video(
        masks,
        folder,
        stages,
        settings,
        video=options.video or str(settings["video"]),
        given=options.masks or tuple(settings.get("masks", ())),
        with_overlay=config.overlay and bool(settings.get("overlay", True)),
        show=config.refine.show,
        overwrite=options.overwrite,
    )


def _refine_dataset(
    config: Config, options: Options, stages: Stages, data: str, before: Mapping[str, Any]
) -> int:
    """Refines the masks of a dataset's videos, and scores them; returns the exit code."""
    assert options.input is not None and options.output is not None
    masks, folder = refining.masks_folder(pathlib.Path(options.input)), pathlib.Path(options.output)
    evaluation = config.eval
    if "eval" in before:
        evaluation = recorded(before["eval"], pathlib.Path(options.input) / "run.json")
    sequences = source.discover(data, evaluation)
    kept = ("family", "model", "weights", "weights_sha256")
    settings = {
        "refined": options.input,
        "data": data,
        "videos": len(sequences),
        **{name: before[name] for name in kept if name in before},
        "eval": before.get("eval", evaluation.selection()),
        "refine": stages.settings,
    }
    year = evaluation.year
    return run_scored(
        folder,
        data,
        sequences,
        settings,
        evaluation,
        stages,
        overwrite=options.overwrite,
        inputs=lambda video: refining.inputs(masks, video, year=year),
        work=lambda: _refine_sequences(masks, sequences, folder, stages, year),
    )


def _refine_sequences(
    masks: pathlib.Path,
    sequences: list[EvalVideo],
    folder: pathlib.Path,
    stages: Stages,
    year: int,
) -> None:
    """Refines the videos that are not done; a video that cannot be is recorded as failed."""
    todo = [video for video in sequences if run_folder.done(folder, video) is None]
    for sequence in tqdm(todo, unit="video", file=sys.stderr, disable=None):
        try:
            refining.refine_sequence(masks, sequence, folder, stages, year=year)
        except DiskFull:
            raise
        except InputError as error:
            run_folder.fail(folder, sequence.name, error)
