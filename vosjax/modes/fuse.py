"""`--mode fuse`: fuses runs of a dataset that kept their probabilities; scores the result.

The runs may come from several machines. One frame of each is in memory at a time. The same command
continues where it was stopped (docs/runs.md).
"""

import concurrent.futures
import pathlib
import sys
from typing import Any

from tqdm import tqdm

from vosjax.compile_cache import compile_cache
from vosjax.config import Config
from vosjax.errors import DiskFull, InputError
from vosjax.eval import folder as run_folder
from vosjax.eval import fusion, refining, source
from vosjax.eval.config import EvalConfig, recorded
from vosjax.eval.videos import EvalVideo
from vosjax.modes import Options
from vosjax.modes._scored_run import load_stages, run_scored
from vosjax.refine.offline import Stages
from vosjax.runs import record

FLAGS = ("input", "data", "output", "overwrite")
FIELDS = ("fuse", "fuse_weights", "keypoints", "refine")
ALSO = (
    "weights",
    "family",
    "model",
    "members",
    "only",
    "feedback",
    "mem_every",
    "max_mem_frames",
    "dtype",
    "tta",
    "top_k",
)


def run(config: Config, options: Options) -> int:
    """Fuses `options.inputs` into the folder `options.output`, and scores the result.

        code = run(opened("default"), Options(inputs=("runs/a", "runs/b"), output="runs/fused"))

    The dataset is `options.data`, or else the one that the first run names. Videos that are
    complete are left alone, unless they or their inputs have changed since.

    Args:
        config: the config.
        options: the command's flags.

    Returns:
        The exit code: 0, or 1 if videos failed.

    Raises:
        InputError: something that was given cannot be used.
    """
    compile_cache()
    runs = [pathlib.Path(run) for run in options.inputs]
    way = fusion.FusionConfig(config.fuse, config.fuse_weights, config.keypoints)
    fusion.check(runs, way)
    if options.output is None:
        raise InputError("--output is missing; fusing takes --input RUN RUN ... --output DIR")
    folder, before = pathlib.Path(options.output), [_record(run) for run in runs]
    evaluation = _evaluation(runs, before)
    data = options.data or before[0]["settings"]["data"]
    sequences = source.discover(data, evaluation)
    settings = {
        "data": str(data),
        "videos": len(sequences),
        "fuse": way._asdict(),
        "runs": [
            {
                "folder": str(run),
                **{
                    name: there["settings"].get(name)
                    for name in ("family", "weights", "weights_sha256")
                },
            }
            for run, there in zip(runs, before)
        ],
        "eval": before[0]["settings"]["eval"],
    }
    stages = load_stages(config)
    if any(stages):
        settings["refine"] = stages.settings
    return run_scored(
        folder,
        data,
        sequences,
        settings,
        evaluation,
        stages,
        overwrite=options.overwrite,
        inputs=lambda video: fusion.inputs(
            runs, video, way, year=evaluation.year, refined=any(stages)
        ),
        work=lambda: _fuse(runs, sequences, folder, way, evaluation, stages),
    )


def _fuse(
    runs: list[pathlib.Path],
    sequences: list[EvalVideo],
    folder: pathlib.Path,
    way: fusion.FusionConfig,
    evaluation: EvalConfig,
    stages: Stages,
) -> None:
    """Fuses the videos that are not done; a video that cannot be fused is recorded as failed."""

    def one(sequence: EvalVideo) -> None:
        try:
            if run_folder.done(folder, sequence) is None:
                fusion.fuse_sequence(
                    runs,
                    sequence,
                    folder,
                    way,
                    year=evaluation.year,
                    refiner=stages.online,
                    zoomed=stages.zoomer is not None,
                )
            if stages.zoomer is not None:
                refining.refine_in_place(folder, sequence, stages)
        except DiskFull:
            raise
        except InputError as error:
            run_folder.fail(folder, sequence.name, error)

    todo = [video for video in sequences if not refining.is_through(folder, video, stages)]
    with concurrent.futures.ThreadPoolExecutor(evaluation.processes) as pool:
        for _ in tqdm(
            pool.map(one, todo), total=len(todo), unit="video", file=sys.stderr, disable=None
        ):
            pass


def _record(run: Any) -> dict:
    kept = record.read(run)
    if kept is None:
        raise InputError(f"{run} holds no run.json: name the folder of a run of --mode eval")
    if kept["status"] != "complete":
        raise InputError(f"{run} is {kept['status']}: let it finish (the same command goes on)")
    there = kept["settings"] if isinstance(kept["settings"], dict) else {}
    for name, hint in (("data", str), ("videos", int), ("eval", dict)):
        if not isinstance(there.get(name), hint):
            raise InputError(
                f"{run} is no run of --mode eval: its run.json does not tell {name!r}; name the "
                "folder of one"
            )
    return kept


def _evaluation(runs: Any, before: Any) -> EvalConfig:
    """Returns the runs' `eval`, which must agree in what selects and scores the videos."""
    first = before[0]["settings"]
    for run, there in zip(runs, before):
        for name, value in there["settings"]["eval"].items():
            if name not in ("probabilities", "scale") and value != first["eval"].get(name):
                raise InputError(
                    f"{run} ran with eval.{name} = {value!r}, {runs[0]} with "
                    f"{first['eval'].get(name)!r}: fuse runs of one selection"
                )
        if there["settings"]["videos"] != first["videos"]:
            raise InputError(
                f"{run} ran {there['settings']['videos']} videos, {runs[0]} "
                f"{first['videos']}: fuse runs of one dataset"
            )
    return recorded(first["eval"], runs[0] / "run.json")
