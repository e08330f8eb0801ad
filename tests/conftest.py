"""What all tests share: the tests' own folder on the path, a quiet, deterministic CPU, programs."""

import ctypes
import gc
import os
import pathlib
import sys
import tempfile

import hypothesis
import pytest

# Shared checks tell what differed, as tests do.
pytest.register_assert_rewrite("support.clip_checks", "support.prepared_splits")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("NPROC", "8")  # see `vosjax.voting.fusion.spare_threads`

# A program that one process of this run compiled serves all others: the workers, and the commands
# that tests start. The first process that comes here makes the folder, and removes it at its end.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    programs = tempfile.TemporaryDirectory(prefix="programs-", ignore_cleanup_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = programs.name
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

# A run of the suite tells of the change that it tests, so its examples are the same every time;
# `--hypothesis-profile=default` looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.load_profile("same")


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_do_not_pile_up():
    """A process that runs a thousand tests would keep some gigabytes of programs."""
    yield
    if "jax" in sys.modules and resident_bytes() > 3 << 30:
        sys.modules["jax"].clear_caches()
        if "vosjax.tracking.frame" in sys.modules:  # whose programs count their traces
            sys.modules["vosjax.tracking.frame"].frame_program.cache_clear()
        gc.collect()
        give_back_what_is_free()


def resident_bytes() -> int:
    """Memory of this process that lies in RAM, now; 0 where the system does not tell."""
    try:
        pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def give_back_what_is_free() -> None:
    """Else the process stays as large as it was, and all programs go after every module."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
