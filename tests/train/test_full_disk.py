"""A training on a disk that is full or cannot be written: one line, and it resumes afterwards."""

import logging
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from vosjax.train import checkpoint_folder

TESTS = pathlib.Path(__file__).parents[1]
# Runs trainings of the toy on a small file system that is nearly full, then with room again.
SCRIPT = """
import pathlib, shutil, sys
import pytest
from support import small
from vosjax.errors import InputError
from vosjax.modes import Options, train

small.install(pytest.MonkeyPatch())
disk = pathlib.Path(sys.argv[1])
output = disk / "run"


def run():
    try:
        return train.run(small.config(log=dict(pictures=2)), Options(output=str(output)))
    except InputError as error:
        return f"{type(error).__name__}: {error}"


for room in map(int, sys.argv[2:]):
    shutil.rmtree(output, ignore_errors=True)
    filler = disk / "filler"
    free = shutil.disk_usage(disk).free
    filler.write_bytes(bytes(max(free - room * 1024, 0)))
    print("FULL", room, run(), flush=True)
    filler.unlink()
    print("AGAIN", room, run(), flush=True)
"""
MOUNTED = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1" 4 24 80 160'


@pytest.fixture
def unshare():
    """The command that gives a process mounts of its own, where that is allowed."""
    program = shutil.which("unshare")
    command = [program or "", "--user", "--map-root-user", "--mount"]
    if not program or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this system gives nobody a file system of one's own")
    return command


def test_a_full_disk_is_one_line_and_the_run_goes_on_afterwards(tmp_path, unshare):
    done = subprocess.run(
        [*unshare, "sh", "-c", MOUNTED, "sh", str(tmp_path), sys.executable, SCRIPT],
        capture_output=True,
        text=True,
        cwd=TESTS.parent,
        env=os.environ | {"PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith(("FULL", "AGAIN"))]
    full, again = ([row for row in rows if row.startswith(word)] for word in ("FULL", "AGAIN"))
    assert len(full) == len(again) == 4
    assert all(row.endswith(" 0") for row in again), rows
    for row in full:
        assert "disk full while writing" in row or "cannot be written" in row, row
        assert len(row) < 600


KEEPS = """
import pathlib, shutil, sys
import jax, numpy as np
from support import small
from vosjax.errors import InputError
from vosjax.train import checkpoint, checkpoint_folder, optimizer, state

disk = pathlib.Path(sys.argv[1])
chain = optimizer.build({path: 1 for path in ("key", "gain", "bank")})
fresh = state.fresh(small.model().init_params(jax.random.key(3)), small.model().param_group, chain)
first, second = (fresh._replace(step=np.int32(step)) for step in (1, 2))


def attempt(state):
    try:
        with checkpoint_folder.managed(disk / "checkpoints", keep=1) as checkpoints:
            checkpoint.save(checkpoints, state, {}, wait=True)
        return "saved"
    except InputError as error:
        return f"{type(error).__name__} {error}"


print(attempt(first))
for room in 0, 8, 40:
    (disk / "filler").write_bytes(bytes(max(shutil.disk_usage(disk).free - room * 1024, 0)))
    print(attempt(second))
    with checkpoint_folder.manager(disk / "checkpoints") as checkpoints:
        restored = checkpoint.restore(checkpoints, fresh, {})
    jax.tree.map(np.testing.assert_array_equal, restored, first)
    (disk / "filler").unlink()
print(attempt(second), checkpoint_folder.steps(disk / "checkpoints"))
"""
SMALL_DISK = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'


def test_a_full_disk_loses_nothing_that_was_there_before(tmp_path, unshare):
    """With one checkpoint kept, the new one has to be complete before the old one goes."""
    done = subprocess.run(
        [*unshare, "sh", "-c", SMALL_DISK, "sh", str(tmp_path), sys.executable, KEEPS],
        capture_output=True,
        text=True,
        cwd=TESTS.parent,
        env=os.environ | {"PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    first, *full, last = done.stdout.splitlines()
    assert first == "saved" and last == "saved [2]" and len(full) == 3
    for line in full:
        assert "disk full while writing" in line or "cannot be written" in line, line


def test_errors_of_other_files_are_not_told_when_they_are_collected(tmp_path, caplog):
    """On a full disk, Orbax raises the error of one file and leaves the others to their tasks."""
    checkpoint_folder.manager(tmp_path).close()
    never = "Task exception was never retrieved\nfuture: <Task coro=<{}>>"
    log = logging.getLogger("asyncio")
    log.error(never.format("write() done, defined at /site/orbax/checkpoint/handlers.py:114"))
    log.error(never.format("answer() done, defined at /site/server.py:20"))
    log.error("Exception in callback orbax()")
    assert [record.getMessage()[:9] for record in caplog.records] == ["Task exce", "Exception"]


READ_ONLY = 'mount -t tmpfs -o ro none "$1" && exec "$2" -c "$3" "$1"'
HOLD = """
import pathlib, sys
from vosjax.io.lock import locked

folder = pathlib.Path(sys.argv[1]) / "run"
try:
    with locked(folder / ".lock", what=folder):
        pass
except ValueError as error:
    print(type(error).__name__, error)
"""


def test_a_read_only_file_system_is_one_line(tmp_path, unshare):
    done = subprocess.run(
        [*unshare, "sh", "-c", READ_ONLY, "sh", str(tmp_path), sys.executable, HOLD],
        capture_output=True,
        text=True,
        cwd=TESTS.parent,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
    )
    line = (
        f"InputError {tmp_path / 'run' / '.lock'} cannot be written (the file system is read-only)"
    )
    assert done.stdout.startswith(line) and not done.stderr
