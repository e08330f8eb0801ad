"""A training on a disk that is full or cannot be written: one line, and it resumes afterwards."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

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
