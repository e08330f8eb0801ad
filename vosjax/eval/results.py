"""results.json: what a run scored, with which settings, weights and machine, and how fast."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vosjax.errors import InputError
from vosjax.eval import folder as files
from vosjax.eval import protocols, scoring, source, submission
from vosjax.eval.config import EvalConfig
from vosjax.eval.videos import EvalVideo, read_meta, truths
from vosjax.io.files import write_json
from vosjax.runs import machine

_PACKERS = {"davis": submission.davis_zip, "youtube": submission.youtube_zip}
_SPEED_FACTS = ("computed", "seconds_after_first", "objects", "gap", "capacity", "together")


class ScoringRules(NamedTuple):
    """How a run is scored.

    protocol   of `protocols`
    zip        'davis', 'youtube' or None: the server's file that is written
    subset     name of the videos, in the names of csv files
    processes  that score side by side
    """

    protocol: protocols.Protocol
    zip: str | None
    subset: str
    processes: int


def scoring_rules(data: str | os.PathLike[str], options: EvalConfig) -> ScoringRules:
    """The rules of a dataset: YouTube-VOS's where it has a meta.json or categories, else DAVIS's.

        scoring_rules("DAVIS", EvalConfig()).protocol.name  # 'davis2017'

    Args:
        data: a dataset's folder or name, see `catalog.find`.
        options: which videos and by which rules.

    Raises:
        InputError: no such rules, or a list of seen classes that cannot be read.
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
    """The seen classes: names, or those in the meta.json of a training set; None where unknown."""
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
    """Scores a run whose videos are all complete or failed; writes results.json and the rest.

        write("runs/davis", videos, scoring_rules("DAVIS", options), settings=settings, facts={})

    Where videos failed there is no global table and no zip, as they would be those of other data:
    the finished videos' own table stands under "global_of_finished".

    Args:
        folder: of the run.
        videos: all of the dataset's.
        rules: see `scoring_rules`.
        settings: everything that decided the masks.
        facts: what else belongs into the file.

    Returns:
        The content of results.json.

    Raises:
        InputError: truth that cannot be read or does not fit its frames; nothing is written then,
            and the masks stay as they are.
    """
    folder = pathlib.Path(folder)
    names = {video.name for video in videos}
    failed = {
        name: why
        for name, why in files.failures(folder).items()
        if name in names - {video.name for video in videos if files.done(folder, video)}
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
        except ValueError as error:
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
        "without_truth": sorted({video.name for video in finished} - set(public)),
        **(scores or {"protocol": rules.protocol.name, "sequences": {}}),
        "rules": rules.protocol.settings,
        "settings": settings,
        "versions": machine.versions(),
        "speed": speed(folder, finished),
        **facts,
    }
    if rules.zip and not failed:
        _PACKERS[rules.zip](folder / "submission.zip", folder / "masks", finished)
        content["submission"] = "submission.zip"
    write_json(folder / "results.json", content)
    return content


def speed(folder: str | os.PathLike[str], videos: Sequence[EvalVideo]) -> dict[str, Any] | None:
    """Frames, seconds and frames/s over all videos (each without its first frame), peak memory.

        speed(pathlib.Path("out"), videos)["frames_per_second"]

    Seconds are those of one device, compiling left out; several devices share the work. None where
    a run holds no times (fused ones).
    """
    complete = [facts for video in videos if (facts := files.done(folder, video)) is not None]
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
