"""The record of a run, run.json: its settings, inputs and progress, and whether it can resume."""

import json
import os
import pathlib
from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from typing import Any

from vosjax.errors import InputError
from vosjax.io import lock
from vosjax.io.files import is_temporary, write_json
from vosjax.io.names import some
from vosjax.io.refusals import reading
from vosjax.runs.differences import differences
from vosjax.runs.machine import versions
from vosjax.schema import NEVER

NAME = "run.json"
# The names of settings in version 0.1, wherever they are in a record.
RENAMED = {
    "gap": "mem_every",
    "limit": "max_mem_frames",
    "size": "max_short_side",
    "short": "max_short_side",
    "short_side": "max_short_side",
    "low": "balance_low",
    "high": "balance_high",
}
NEVER_WAS = 9999  # an interval in version 0.1
# Settings that are digests of inputs, and what each of them is of.
DIGESTS = {"frames_sha256": "frames", "masks_sha256": "masks", "weights_sha256": "weights"}
# A setting that only runs of this mode have.
KINDS = {
    "refined": "refine",
    "video": "segment",
    "runs": "fuse",
    "render": "render",
    "unpack": "unpack",
}
# Names that the runs of all modes leave at the top of their folders.
FILES = (
    "failed", "masks", "overlay.mp4", "probabilities", "results.json", "run.json", "scores",
    "scores.csv", "state", "submission.zip", "tensorboard", "videos",
    "global_results-*.csv", "per-sequence_results-*.csv",
)  # fmt: skip
SINCE = {"direction": "forward"}  # values of settings before records named them


class Damaged(InputError):
    """A record cannot be read."""


def read(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Reads the record in a folder; returns None if there is none, or one of something else.

        record = read("runs/a")

    Raises:
        InputError: the record is damaged, or cannot be read.
    """
    path = pathlib.Path(folder) / NAME
    try:
        with reading(path):
            text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except InputError:
        if os.path.lexists(path):
            raise
        return None
    except ValueError as error:
        raise _damaged(path, error) from error
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    try:
        settings, status = record["settings"], record["status"]
    except (LookupError, TypeError):
        return None
    if not isinstance(settings, dict) or not settings or not isinstance(status, str) or not status:
        return None
    return {**record, "settings": renamed(settings)}


def _damaged(path: pathlib.Path, error: Exception) -> Damaged:
    return Damaged(
        f"{path} is damaged ({error or type(error).__name__}): remove it, or name another --output"
    )


def renamed(settings: Any) -> Any:
    """Returns the settings of a record by their present names, at any depth.

    renamed({"gap": 5})     # {"mem_every": 5}
    """
    if isinstance(settings, list):
        return [renamed(item) for item in settings]
    if not isinstance(settings, dict):
        return settings
    never = {name: NEVER for name, value in settings.items() if (name, value) == ("gap", NEVER_WAS)}
    return {RENAMED.get(name, name): renamed(value) for name, value in (settings | never).items()}


def resume(
    folder: str | os.PathLike[str], settings: dict[str, Any], *, overwrite: bool = False
) -> dict[str, Any] | None:
    """Returns the record of the run to be resumed in a folder, or None if a new one can begin.

        before = resume("new", {"video": "dog.mp4", "mem_every": 5})

    Several processes may begin in the same folder at the same time, since a run's record is its
    first file.

    Args:
        folder: the run's --output.
        settings: the settings that decide the result.
        overwrite: whether the run begins anew, whatever the settings of the earlier one; the caller
            then removes that one's files (`runs.clear`).

    Raises:
        InputError: the folder holds a run with other settings, a damaged record, or other files;
            with `overwrite`, a run of another mode, or other files.
    """
    folder = pathlib.Path(folder)
    others = strange(folder)
    try:
        before = read(folder)  # last, as the other files may be those of a run just begun
    except Damaged:
        if overwrite and all(any(fnmatch(name, kind) for kind in FILES) for name in others):
            return None
        raise
    if before is None and others:
        raise InputError(
            f"{folder} holds other files ({some(others)}), which no run made; name a new or "
            "empty folder as --output"
        )
    if not overwrite:
        check(before, settings, folder)
        return before
    if before is not None and kind(before["settings"]) != kind(settings):
        raise InputError(
            f"{folder} holds a run of --mode {kind(before['settings'])}, not of --mode "
            f"{kind(settings)}: remove it, or name another --output"
        )
    return None


def strange(folder: pathlib.Path, ours: Collection[str] = ()) -> list[str]:
    """Lists what is in a folder besides `ours`, locks, and the remains of killed processes.

        strange(pathlib.Path("out"), ["run.json", "masks"])     # ['precious.txt']

    Raises:
        InputError: it is not a folder, or cannot be read.
    """
    with reading(folder):
        if not os.path.lexists(folder):
            return []
        names = sorted(path.name for path in folder.iterdir() if not is_temporary(path))
    return [name for name in names if name != lock.NAME and name not in ours]


def kind(settings: Mapping[str, Any]) -> str:
    """Returns the mode of a run, which its settings tell.

    kind({"video": "dog.mp4"})      # 'segment'
    """
    return next((mode for name, mode in KINDS.items() if name in settings), "eval")


def check(
    before: Mapping[str, Any] | None, settings: Mapping[str, Any], folder: str | os.PathLike[str]
) -> None:
    """Raises InputError, naming the differences, unless a run with these settings can resume there.

        check({"settings": {"mem_every": 5}}, {"mem_every": 5}, "out")

    Args:
        before: the record of the earlier run, from `read`; None allows any run to begin.
        settings: the settings that decide the result.
        folder: the folder, for the message.
    """
    if before is None:
        return
    unnamed = {name: value for name, value in SINCE.items() if name in settings}
    old, new = unnamed | before["settings"], json.loads(json.dumps(settings))
    unknown = [name for name in DIGESTS if name in new and name not in old]
    changes = differences(old, {name: new[name] for name in new if name not in unknown})
    if changes:
        raise InputError(
            f"{folder} holds a run with other settings "
            f"({'; '.join(_worded(change, new) for change in changes)}): name another --output, "
            "give the settings as they were, or start anew with --overwrite"
        )
    if unknown:
        raise InputError(
            f"{folder} holds a run of an earlier version, which kept no digest of its frames, so "
            "that nobody can tell whether they are the same: start anew with --overwrite, or name "
            "another --output"
        )


def _worded(change: str, settings: Mapping[str, Any]) -> str:
    """Words a change for messages; for a digest it says what changed."""
    name = change.split(" ", 1)[0]
    if name == "frames_sha256":
        return f"frames: {settings.get('video')} has changed since"
    return f"{DIGESTS[name]} changed: {change}" if name in DIGESTS else change


def write(
    folder: str | os.PathLike[str],
    settings: Mapping[str, Any],
    *,
    status: str,
    frames: int,
    facts: Mapping[str, Any],
) -> None:
    """Writes the record, atomically.

        write("begun", {"video": "dog.mp4"}, status="running", frames=0, facts={})

    Args:
        folder: the folder of the run.
        settings: the settings that decide the result.
        status: 'running', 'interrupted' or 'complete'.
        frames: number of frames that are done.
        facts: anything else worth knowing, such as speed and bytes.

    Raises:
        InputError: the folder cannot be created or written.
        DiskFull: the disk is full.
    """
    write_json(
        pathlib.Path(folder) / NAME,
        {"status": status, "frames": frames, "settings": settings, "versions": versions(), **facts},
    )
