"""`--mode fuse`: runs of a dataset that kept their probabilities become one, scored like any other.

The runs may come from several machines; one frame of each is in memory at a time.
"""

import concurrent.futures
import pathlib
import sys

from tqdm import tqdm

from vosjax.errors import DiskFull, InputError
from vosjax.eval import folder as files
from vosjax.eval import fusion, results, source
from vosjax.modes import eval as evaluating
from vosjax.runs import record


def run(config, options) -> int:
    """Fuses `options.inputs` into the folder `options.output`, and scores it.

    The dataset is `options.data`, or else what the first run names. Videos that are complete are
    left alone.

    Returns:
      0; 1 where videos failed.

    Raises:
      InputError: something that was given cannot be used.
    """
    runs = [pathlib.Path(run) for run in options.inputs]
    way = fusion.FusionConfig(
        config.get("fuse", "mean"),
        tuple(config.get("fuse_weights", ())),
        config.get("keypoints", "sift"),
    )
    fusion.check(runs, way)
    if options.output is None:
        raise InputError("--output is missing; fusing takes --input RUN RUN ... --output DIR")
    folder, before = pathlib.Path(options.output), [_record(run) for run in runs]
    wanted = _options(runs, before)
    data = options.data or before[0]["settings"]["data"]
    sequences = source.discover(data, wanted)
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
    record.check(record.read(folder), settings, folder)
    record.write(folder, settings, status="running", frames=0, facts={})
    todo = [each for each in sequences if files.done(folder, each) is None]

    def one(sequence):
        try:
            fusion.fuse_sequence(runs, sequence, folder, way, year=wanted["year"])
        except DiskFull:
            raise
        except InputError as error:
            files.fail(folder, sequence.name, error)

    with concurrent.futures.ThreadPoolExecutor(wanted["processes"]) as pool:
        for _ in tqdm(
            pool.map(one, todo), total=len(todo), unit="video", file=sys.stderr, disable=None
        ):
            pass
    found = results.write(
        folder,
        sequences,
        results.scoring_rules(data, wanted),
        settings=settings,
        facts={"options": wanted},
    )
    record.write(
        folder,
        settings,
        status="complete" if found["complete"] else "incomplete",
        frames=sum(len(each.frames) for each in sequences),
        facts={},
    )
    return evaluating.tell(found, folder)


def _record(run) -> dict:
    found = record.read(run)
    if found is None:
        raise InputError(f"{run} holds no run.json: name the folder of a run of --mode eval")
    if found["status"] != "complete":
        raise InputError(f"{run} is {found['status']}: let it finish (the same command goes on)")
    return found


def _options(runs, before) -> dict:
    """The runs' `eval`, which must agree in what selects and scores the videos."""
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
    return evaluating.OPTIONS | first["eval"]
