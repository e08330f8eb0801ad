"""run.json: what a run was asked, with what, and how it went; also what may be resumed."""

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
# Settings by their names of version 0.1, wherever they stand in a record.
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
# Settings that are digests of what was given, and what they are of.
DIGESTS = {"frames_sha256": "frames", "masks_sha256": "masks", "weights_sha256": "weights"}
# A setting that only runs of one mode have.
KINDS = {
    "refined": "refine",
    "video": "segment",
    "runs": "fuse",
    "render": "render",
    "unpack": "unpack",
}
# What the runs of all modes leave at the top of their folders.
FILES = (
    "failed", "masks", "overlay.mp4", "probabilities", "results.json", "run.json", "scores",
    "scores.csv", "state", "submission.zip", "videos",
    "global_results-*.csv", "per-sequence_results-*.csv",
)  # fmt: skip
SINCE = {"direction": "forward"}  # what settings were before records named them


class Damaged(InputError):
    """A record that cannot be read."""


def read(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The record in a folder, None where there is none, or one of something else.

        record = read("runs/a")

    Raises:
      InputError: it is damaged, or may not be read.
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
    """Settings of a record with the names that they bear today, at any depth.

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
    """The record of the run that goes on in a folder; None where one can begin.

        before = resume("new", {"video": "dog.mp4", "mem_every": 5})

    Processes may begin in the same folder at the same time: a run's record is its first file.

    Args:
      folder: the run's --output.
      settings: what decides the result.
      overwrite: whether the run is to begin anew whatever the settings of the earlier one were;
        the caller then removes what that one made (`runs.clear`).

    Raises:
      InputError: the folder holds a run of other settings, a damaged record, or other files; with
        `overwrite`, a run of another mode, or other files.
    """
    folder = pathlib.Path(folder)
    others = strange(folder)
    try:
        before = read(folder)  # after looking for other files, for these may be of a run just begun
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
    """What lies in a folder besides `ours`, locks, and what killed writers left.

        strange(pathlib.Path("out"), ["run.json", "masks"])     # ['precious.txt']

    Raises:
      InputError: it is no folder, or may not be read.
    """
    with reading(folder):
        if not os.path.lexists(folder):
            return []
        names = sorted(path.name for path in folder.iterdir() if not is_temporary(path))
    return [name for name in names if name != lock.NAME and name not in ours]


def kind(settings: Mapping[str, Any]) -> str:
    """The mode that a run's settings are of.

    kind({"video": "dog.mp4"})      # 'segment'
    """
    return next((mode for name, mode in KINDS.items() if name in settings), "eval")


def check(
    before: Mapping[str, Any] | None, settings: Mapping[str, Any], folder: str | os.PathLike[str]
) -> None:
    """Raises InputError, naming what differs, unless a run with these settings can go on there.

        check({"settings": {"mem_every": 5}}, {"mem_every": 5}, "out")

    Args:
      before: the record of the run that is there, of `read`; None lets any begin.
      settings: what decides the result.
      folder: for the message.
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
    """A change as it is told: of digests, what changed."""
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
      folder: of the run.
      settings: what decides the result.
      status: 'running', 'interrupted' or 'complete'.
      frames: how many are done.
      facts: whatever else is worth knowing: speed, bytes.

    Raises:
      InputError, DiskFull: the folder cannot be made or written.
    """
    write_json(
        pathlib.Path(folder) / NAME,
        {"status": status, "frames": frames, "settings": settings, "versions": versions(), **facts},
    )
