"""Writes results.json: the scores of a run, its settings, weights and machine, and its speed."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vosjax.errors import InputError
from vosjax.eval import areas, protocols, scoring, source, submission
from vosjax.eval import folder as run_folder
from vosjax.eval.config import EvalConfig
from vosjax.eval.videos import EvalVideo, read_meta, truths
from vosjax.io.files import write_json
from vosjax.refine.refiner import added
from vosjax.runs import machine

_PACKERS = {"davis": submission.davis_zip, "youtube": submission.youtube_zip}
_SPEED_FACTS = ("computed", "seconds_after_first", "objects", "gap", "capacity", "together")


class ScoringRules(NamedTuple):
    """How a run is scored.

    protocol   the scoring rules, see `protocols`
    zip        the server for which a zip file is written: 'davis', 'youtube' or None
    subset     name of the set of videos, for the names of csv files
    processes  number of processes that score side by side
    """

    protocol: protocols.Protocol
    zip: str | None
    subset: str
    processes: int


def scoring_rules(data: str | os.PathLike[str], options: EvalConfig) -> ScoringRules:
    """Chooses the rules by which a dataset is scored.

        scoring_rules("DAVIS", EvalConfig()).protocol.name  # 'davis2017'

    By default these are YouTube-VOS's if the dataset has a meta.json or categories, else DAVIS's.

    Args:
        data: a dataset's folder or name, see `catalog.find`.
        options: the config's `eval`.

    Raises:
        InputError: the rules do not fit the dataset, or the seen classes cannot be read.
    """
    name, meta = options.protocol, source.meta(data, options)
    if name == "auto":
        name = "youtube" if meta else "davis"
    if name == "youtube":
        if not meta:
            raise InputError(
                f"{data} has no meta.json, which YouTube-VOS's rules need: set "
                "config.eval.protocol to davis or vos_benchmark"
            )
        protocol = protocols.youtube_vos(
            meta, seen=_seen(options.seen), drop_last=options.drop_last
        )
    elif name == "davis":
        protocol = protocols.davis(year=options.year)
    elif name == "vos_benchmark":
        protocol = protocols.vos_benchmark()
    else:
        raise InputError(
            f"config.eval.protocol is {name!r}; there are auto, davis, youtube and vos_benchmark"
        )
    server = name if options.zip and name in _PACKERS else None
    return ScoringRules(protocol, server, options.split or "all", options.processes)


def _seen(classes: str | Sequence[str]) -> set[str] | None:
    """Returns the seen classes: the given names or those in a training set's meta.json; or None."""
    if not classes:
        return None
    if not isinstance(classes, str):
        return set(classes)
    path = pathlib.Path(classes)
    meta = read_meta(path if path.is_dir() else path.parent)
    return {entry.category for objects in meta.values() for entry in objects.values()}


def write(
    folder: str | os.PathLike[str],
    videos: Sequence[EvalVideo],
    rules: ScoringRules,
    *,
    settings: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Scores a run and writes results.json, the csv tables and the zip file.

        write("runs/davis", videos, scoring_rules("DAVIS", options), settings=settings, facts={})

    All videos of the run are complete or have failed. If any has failed, there is no global table
    and no zip, since these would describe a smaller dataset; the table of the finished videos is
    stored as "global_of_finished".

    Args:
        folder: the folder of the run.
        videos: all videos of the dataset.
        rules: how the run is scored, see `scoring_rules`.
        settings: everything that decided the masks.
        facts: further fields of the file.

    Returns:
        The content of results.json.

    Raises:
        InputError: ground truth cannot be read, or does not fit its frames. Nothing is written
            then, and the masks stay as they are.
    """
    folder = pathlib.Path(folder)
    names = {video.name for video in videos}
    failed = {
        name: reason
        for name, reason in run_folder.failures(folder).items()
        if name in names - {video.name for video in videos if run_folder.done(folder, video)}
    }
    finished = [video for video in videos if video.name not in failed]
    public = truths(finished)
    scores = table = None
    if public:
        try:
            scores = scoring.score(
                public,
                folder / "masks",
                protocol=rules.protocol,
                sequences=list(public),
                processes=rules.processes,
            )
        except InputError as error:
            raise InputError(
                f"{error}. The run's masks are complete; once this is mended, the same "
                "command only scores them"
            ) from error
        table = scores.pop("global")
        if not failed:
            scoring.write_csv(scores | {"global": table}, folder, subset=rules.subset)
    content = {
        "complete": not failed,
        "failed": failed,
        "global": None if failed else table,
        **({"global_of_finished": table} if failed else {}),
        **({"areas": areas.by_area(scores["sequences"])} if scores and not failed else {}),
        "without_truth": sorted({video.name for video in finished} - set(public)),
        **(scores or {"protocol": rules.protocol.name, "sequences": {}}),
        "rules": rules.protocol.settings,
        "settings": settings,
        "versions": machine.versions(),
        "speed": speed(folder, finished),
        **refined(folder, finished),
        **facts,
    }
    if rules.zip and not failed:
        _PACKERS[rules.zip](folder / "submission.zip", folder / "masks", finished)
        content["submission"] = "submission.zip"
    write_json(folder / "results.json", content)
    return content


def refined(
    folder: str | os.PathLike[str], videos: Sequence[EvalVideo]
) -> dict[str, dict[str, int]]:
    """Returns what the refinement of masks counted in all videos of a run.

        refined("runs/davis", videos)       # {"refined": {"patches": 5120, ...}}

    Returns:
        {} for a run that refines nothing.
    """
    total: dict[str, int] = {}
    for video in videos:
        total = added(total, (run_folder.done(folder, video) or {}).get("refined", {}))
    return {"refined": total} if total else {}


def speed(folder: str | os.PathLike[str], videos: Sequence[EvalVideo]) -> dict[str, Any] | None:
    """Returns frames, seconds, frames/s and peak memory over all videos of a run.

        speed(pathlib.Path("out"), videos)["frames_per_second"]

    The first frame of each video is not counted. Seconds are summed over the devices, without
    compilation. Returns None for a run without times, such as a fused one.
    """
    complete = [facts for video in videos if (facts := run_folder.done(folder, video)) is not None]
    timed = [facts for facts in complete if "seconds_after_first" in facts]
    if not timed:
        return None
    frames = sum(facts["computed"] - 1 for facts in timed)
    seconds = sum(facts["seconds_after_first"] for facts in timed)
    peaks = [facts["peak_memory_bytes"] for facts in timed]
    return {
        "frames": frames,
        "seconds": round(seconds, 3),
        "frames_per_second": round(frames / seconds, 3) if seconds else None,
        "compile_seconds": round(sum(facts["compile_seconds"] for facts in timed), 2),
        "peak_memory_bytes": {name: max(peak.get(name, 0) for peak in peaks) for name in peaks[0]},
        "videos": {facts["name"]: {name: facts[name] for name in _SPEED_FACTS} for facts in timed},
    }
