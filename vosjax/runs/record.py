"""run.json: what a run was asked, with what, and how it went; also what may be resumed."""

import hashlib
import importlib.metadata
import json
import pathlib
import platform
import resource
import sys
import time
from typing import Any

import jax

import vosjax
from vosjax.errors import InputError
from vosjax.io.files import is_temporary, write_json
from vosjax.runs.differences import differences
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
PACKAGES = ("jax", "jaxlib", "flax", "numpy", "opencv-python-headless", "av")


class Stopwatch:
    """Times frames, leaving out the first, which compiles."""

    def __init__(self):
        self._begin = time.perf_counter()
        self._first = self._last = None
        self.frames = 0

    def tick(self) -> None:
        """A frame is done."""
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self.frames += 1

    def facts(self) -> dict:
        """seconds_to_first_frame, milliseconds_per_frame and frames_per_second without that one."""
        if self.frames < 2:
            return {
                "seconds_to_first_frame": self._first and round(self._first - self._begin, 3),
                "milliseconds_per_frame": None,
                "frames_per_second": None,
            }
        seconds = (self._last - self._first) / (self.frames - 1)
        return {
            "seconds_to_first_frame": round(self._first - self._begin, 3),
            "milliseconds_per_frame": round(1000 * seconds, 2),
            "frames_per_second": round(1 / seconds, 3),
        }


def versions() -> dict:
    """Versions of what computes, and the devices."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES if _installed(name)}
    return {
        "vosjax": vosjax.__version__,
        "python": platform.python_version(),
        **packages,
        "platform": jax.default_backend(),
        "device": jax.local_devices()[0].device_kind,
    }


def _installed(name):
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def peak_memory() -> dict:
    """Bytes: of the process so far, and of the device where it tells."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    stats = jax.local_devices()[0].memory_stats() or {}
    return peak | ({"device": stats["peak_bytes_in_use"]} if "peak_bytes_in_use" in stats else {})


def digest(arrays: dict[int, Any]) -> str:
    """sha256 over {frame: labels}."""
    total = hashlib.sha256()
    for frame in sorted(arrays):
        total.update(f"{frame} {arrays[frame].shape} {arrays[frame].dtype}".encode())
        total.update(arrays[frame].tobytes())
    return total.hexdigest()


def read(folder) -> dict | None:
    """The record in a folder, None where there is none.

    Raises:
      InputError: a damaged one.
    """
    path = pathlib.Path(folder) / NAME
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not record["settings"] or not record["status"]:
            return None
        return {**record, "settings": renamed(record["settings"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged ({error}): remove it, or name another --output"
        ) from error


def renamed(settings: Any) -> Any:
    """Settings of a record with the names that they bear today."""
    if isinstance(settings, list):
        return [renamed(item) for item in settings]
    if not isinstance(settings, dict):
        return settings
    never = {name: NEVER for name, value in settings.items() if (name, value) == ("gap", NEVER_WAS)}
    return {RENAMED.get(name, name): renamed(value) for name, value in (settings | never).items()}


def resume(folder, settings: dict) -> dict | None:
    """The record of the run that goes on in a folder; None where one can begin.

    Processes may begin in the same folder at the same time: a run's record is its first file.

    Raises:
      InputError: the folder holds a run of other settings, a damaged record, or other files.
    """
    folder = pathlib.Path(folder)
    strange = folder.is_dir() and any(not is_temporary(path) for path in folder.iterdir())
    before = read(folder)  # after looking for other files, for these may be of a run just begun
    check(before, settings, folder)
    if before is None and strange:
        raise InputError(f"{folder} holds other files; name a new or empty folder as --output")
    return before


def check(before: dict | None, settings: dict, folder) -> None:
    """Raises InputError, naming what differs, unless a run with these settings can go on there."""
    if before is None:
        return
    changes = differences(before["settings"], json.loads(json.dumps(settings)))
    if changes:
        raise InputError(
            f"{folder} holds a run with other settings ({'; '.join(changes)}): "
            "name another --output, or give the settings as they were"
        )


def write(folder, settings: dict, *, status: str, frames: int, facts: dict) -> None:
    """Writes the record, atomically.

    Args:
      folder: of the run.
      settings: what decides the result.
      status: 'running', 'interrupted' or 'complete'.
      frames: how many are done.
      facts: whatever else is worth knowing: speed, bytes.
    """
    write_json(
        pathlib.Path(folder) / NAME,
        {"status": status, "frames": frames, "settings": settings, "versions": versions(), **facts},
    )
