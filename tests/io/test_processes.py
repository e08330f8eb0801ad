"""Worker processes: they end with their parent, and a killed one gives one line."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from vosjax.errors import InputError
from vosjax.io.processes import pool

TOP = pathlib.Path(__file__).parents[2]
# Starts workers, which share its stdout, and says so once all of them are at work.
PARENTS = {
    "a worker that waits": """
from vosjax.io.processes import pool
import os, time
if __name__ == "__main__":
    with pool(2, setting="x") as workers:
        list(workers.map(abs, range(8)))
        print("ready", flush=True)
        time.sleep(600)
""",
    "a worker at work": """
from vosjax.io.processes import pool
import os, time
if __name__ == "__main__":
    with pool(2, setting="x") as workers:
        list(workers.map(abs, range(8)))
        slow = [workers.submit(time.sleep, 600) for _ in range(2)]
        print("ready", flush=True)
        time.sleep(600)
""",
    "a worker that makes clips": """
import numpy as np
from vosjax.data import pipeline
from vosjax.data.config import ClipsConfig
if __name__ == "__main__":
    small = ClipsConfig(frames=2, height=32, width=32)
    clips = pipeline.clips(small, seed=0, batch=1, workers=2)
    next(clips)
    print("ready", flush=True)
    import time
    time.sleep(600)
""",
}


@pytest.mark.parametrize("name", PARENTS)
def test_workers_end_with_a_parent_that_is_killed(name, tmp_path):
    (tmp_path / "parent.py").write_text(PARENTS[name])
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(TOP), "JAX_PLATFORMS": "cpu"},
    )
    assert parent.stdout.readline() == b"ready\n"
    parent.send_signal(signal.SIGKILL)
    # The pipe ends when the last process that holds it has gone.
    assert parent.communicate(timeout=60)[0] == b""
    assert parent.returncode == -signal.SIGKILL


def test_a_worker_that_is_killed_is_one_line():
    with (
        pytest.raises(InputError, match=r"one of 2 worker processes was killed.*\(eval.processes"),
        pool(2, setting="eval.processes") as workers,
    ):
        workers.submit(os._exit, 9).result()


def test_an_error_of_the_work_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError), pool(1, setting="x") as workers:
        workers.submit(divmod, 1, 0).result()


def test_an_initializer_is_called_with_its_arguments():
    with pool(1, setting="x", initializer=os.putenv, initargs=("A", "1")) as workers:
        assert workers.submit(abs, -1).result() == 1
