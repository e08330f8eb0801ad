"""Describes the machine and its speed: versions, devices, peak memory, and the time per frame."""

import importlib.metadata
import platform
import resource
import sys
import time

import jax

import vosjax

PACKAGES = ("jax", "jaxlib", "flax", "numpy", "opencv-python-headless", "av")


class Stopwatch:
    """Times frames, without the first one, which includes compiling.

    clock = Stopwatch()
    for frame in frames:
        segment(frame)
        clock.tick()
    print(clock.facts()["frames_per_second"])
    """

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._first: float | None = None
        self._last: float | None = None
        self.frames = 0

    def tick(self) -> None:
        """Notes that a frame is done."""
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self.frames += 1

    def facts(self) -> dict[str, float | None]:
        """Returns seconds_to_first_frame, milliseconds_per_frame and frames_per_second.

        The last two leave out the first frame; a value is None if there are too few frames.
        """
        if self._first is None or self._last is None or self.frames < 2:
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


def versions() -> dict[str, str]:
    """Returns the versions of the software that computes, and the devices.

    versions()["jax"]       # '0.10.2'
    """
    packages = {name: importlib.metadata.version(name) for name in PACKAGES if _installed(name)}
    return {
        "vosjax": vosjax.__version__,
        "python": platform.python_version(),
        **packages,
        "platform": jax.default_backend(),
        "device": jax.local_devices()[0].device_kind,
    }


def _installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def peak_memory() -> dict[str, int]:
    """Returns the peak memory in bytes of the process, and of the first device if it tells.

    peak_memory()["process"]        # 1234567168
    """
    unit = 1 if sys.platform == "darwin" else 1024
    peak = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    stats = jax.local_devices()[0].memory_stats() or {}
    return peak | ({"device": stats["peak_bytes_in_use"]} if "peak_bytes_in_use" in stats else {})
