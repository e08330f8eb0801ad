"""results.json: what a run scored, with which settings, weights and machine, and how fast."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from vosjax.errors import InputError
from vosjax.eval import folder as files
from vosjax.eval import layout, protocols, scoring, source, submission
from vosjax.eval.config import EvalConfig
from vosjax.io.files import write_json
from vosjax.runs import record


class ScoringRules(NamedTuple):
    """How a run is scored.

    protocol   of `protocols`
    zip        'davis', 'youtube' or None: the server's file that is written
    subset     name of the sequences, in the names of csv files
    processes  that score side by side
    """

    protocol: protocols.Protocol
    zip: str | None
    subset: str
    processes: int


def scoring_rules(data, options: EvalConfig) -> ScoringRules:
    """The rules of a dataset folder: YouTube-VOS where it has a meta.json, else DAVIS.

    Args:
      data: the folder.
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
    server = {"davis": "davis", "youtube": "youtube"}.get(name) if options.zip else None
    return ScoringRules(protocol, server, options.split or "all", options.processes)


def _seen(given):
    """The seen classes: names, or those in the meta.json of a training set; None where unknown."""
    if not given:
        return None
    if not isinstance(given, str):
        return set(given)
    path = pathlib.Path(given)
    videos = layout.read_meta(path if path.is_dir() else path.parent)["videos"]
    return {entry["category"] for video in videos.values() for entry in video["objects"].values()}


def write(
    folder,
    sequences: Sequence[layout.EvalVideo],
    how: ScoringRules,
    *,
    settings: dict,
    facts: dict[str, Any],
) -> dict:
    """Scores a run whose videos are all complete or failed; writes results.json and the rest.

    Where videos failed there is no global table and no zip, as they would be those of other data:
    the finished videos' own table stands under "global_of_finished".

    Args:
      folder: of the run.
      sequences: all of the dataset's.
      how: see `judging`.
      settings: everything that decided the masks.
      facts: what else belongs into the file.

    Returns:
      The content of results.json.

    Raises:
      InputError: truth that cannot be read or does not fit its frames; nothing is written then, and
        the masks stay as they are.
    """
    folder = pathlib.Path(folder)
    names = {sequence.name for sequence in sequences}
    failed = {name: why for name, why in files.failures(folder).items() if name in names}
    finished = [sequence for sequence in sequences if sequence.name not in failed]
    truths = layout.truths(finished)
    scores = scored = None
    if truths:
        try:
            scores = scoring.score(
                truths,
                folder / "masks",
                protocol=how.protocol,
                sequences=list(truths),
                processes=how.processes,
            )
        except ValueError as error:
            raise InputError(
                f"{error}. The run's masks are complete; once this is mended, the same "
                "command only scores them"
            ) from error
        scored = scores.pop("global")
        if not failed:
            scoring.write_csv(scores | {"global": scored}, folder, subset=how.subset)
    found = {
        "complete": not failed,
        "failed": failed,
        "global": None if failed else scored,
        **({"global_of_finished": scored} if failed else {}),
        "without_truth": sorted({each.name for each in finished} - set(truths)),
        **(scores or {"protocol": how.protocol.name, "sequences": {}}),
        "rules": how.protocol.settings,
        "settings": settings,
        "versions": record.versions(),
        "speed": speed(folder, finished),
        **facts,
    }
    if how.zip and not failed:
        pack = {"davis": submission.davis_zip, "youtube": submission.youtube_zip}[how.zip]
        pack(folder / "submission.zip", folder / "masks", finished)
        found["submission"] = "submission.zip"
    write_json(folder / "results.json", found)
    return found


def speed(folder, sequences: Sequence[layout.EvalVideo]) -> dict | None:
    """Frames, seconds and frames/s over all videos (each without its first frame), peak memory.

    Seconds are those of one device, compiling left out; several devices share the work. None where
    a run holds no times (fused ones).
    """
    videos = [facts for each in sequences if (facts := files.done(folder, each)) is not None]
    videos = [facts for facts in videos if "seconds_after_first" in facts]
    if not videos:
        return None
    frames = sum(facts["computed"] - 1 for facts in videos)
    seconds = sum(facts["seconds_after_first"] for facts in videos)
    peaks = [facts["peak_memory_bytes"] for facts in videos]
    return {
        "frames": frames,
        "seconds": round(seconds, 3),
        "frames_per_second": round(frames / seconds, 3) if seconds else None,
        "compile_seconds": round(sum(facts["compile_seconds"] for facts in videos), 2),
        "peak_memory_bytes": {name: max(peak.get(name, 0) for peak in peaks) for name in peaks[0]},
        "videos": {
            facts["name"]: {
                name: facts[name]
                for name in (
                    "computed",
                    "seconds_after_first",
                    "objects",
                    "gap",
                    "capacity",
                    "together",
                )
            }
            for facts in videos
        },
    }
