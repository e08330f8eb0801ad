"""Trainings as real processes, killed and stopped at any moment, end as if they had not been."""

import contextlib
import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from support import small

from vosjax.errors import InputError, Note
from vosjax.modes import Options
from vosjax.modes import train as train_mode
from vosjax.train import build, checkpoint, checkpoint_folder, decisive, loop, pace, state

TESTS = pathlib.Path(__file__).parents[1]
GRACE = 30  # seconds from SIGTERM to SIGKILL on most machines that can be preempted
SPEED = "clips_per_second"


@pytest.fixture(autouse=True)
def toy_family(monkeypatch):
    small.install(monkeypatch)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder in which the processes find what one of them compiled."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def start(cache):
    """Starts `support/doomed.py`."""
    begun = []

    def start(folder, death, changes, *, devices=1):
        process = subprocess.Popen(
            [sys.executable, "-m", "support.doomed", folder, death, json.dumps(changes)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=TESTS.parent,
            env=os.environ
            | {
                "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}",
                "JAX_PLATFORMS": "cpu",
                "JAX_NUM_CPU_DEVICES": str(devices),
                "JAX_COMPILATION_CACHE_DIR": str(cache),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            },
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def trained(changes, folder):
    return loop.train(small.config(**changes), output=folder)


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def rows(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return [
            {name: value for name, value in row.items() if name not in (SPEED, *pace.COLUMNS)}
            for row in csv.DictReader(file)
        ]


def steps(folder):
    return checkpoint_folder.steps(folder / "checkpoints")


def test_a_run_killed_three_times_and_torn_once_equals_an_unbroken_one(tmp_path, start):
    changes = dict(
        steps=12, aux=0.5, own_from=0.5, log=dict(every=1, checkpoint=2, validate=4, keep=2)
    )
    out = tmp_path / "out"
    for death in "step 3", "commit 6", "write 8":
        process = start(out, death, changes)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == -signal.SIGKILL, output
        if death == "commit 6":
            assert 6 not in steps(out) and list(out.glob("checkpoints/6.orbax-checkpoint-tmp*"))
    newest = out / "checkpoints" / str(steps(out)[-1])
    for file in (newest / "state").rglob("*"):  # as after a power cut
        if file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.warns(Note, match=f"step {newest.name} in .* is damaged"):
        ended = trained(changes, out)
    whole = trained(changes, tmp_path / "whole")
    assert ended.complete
    same(ended.state, whole.state)
    assert rows(out) == rows(tmp_path / "whole")
    assert not list(out.glob("checkpoints/*tmp*"))


@pytest.mark.slow  # measured in real time
def test_a_preempted_run_saves_within_the_grace_time_even_while_it_validates(tmp_path, start):
    changes = dict(log=dict(every=2, checkpoint=6, validate=2))
    out = tmp_path / "out"
    process = start(out, "validation 4", changes)
    for line in process.stdout:
        if line == "validating\n":
            break
    os.kill(process.pid, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while 4 not in steps(out) and time.monotonic() < until:
        time.sleep(0.05)
    assert 4 in steps(out)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == train_mode.STOPPED, output
    same(trained(changes, out).state, trained(changes, tmp_path / "whole").state)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_devices(tmp_path, start):
    changes = dict(batch=4, log=dict(every=1, checkpoint=1))
    out = tmp_path / "out"
    for number, devices in ((2, 4), (4, 1)):
        process = start(out, f"stop {number}", changes, devices=devices)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == train_mode.STOPPED, output
        assert steps(out)[-1] == number
    process = start(out, "none", changes, devices=2)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    config = small.config(**changes)
    whole = trained(changes, tmp_path / "whole").state
    blank = state.fresh(
        small.model().init_params(jax.random.key(0)),
        small.model().param_group,
        build.chain_of(small.model(), config.train),
    )
    with checkpoint_folder.manager(out / "checkpoints") as saved:
        ended = checkpoint.restore(saved, blank, decisive.described(config))
    assert int(ended.step) == config.train.steps
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ended, whole)
    assert [row["step"] for row in rows(out)] == [str(at) for at in range(1, 7)]


def test_another_config_in_the_same_folder_is_one_line_and_nothing_is_changed(tmp_path):
    trained(dict(steps=2), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as error:
        train_mode.run(small.config(steps=2, lr=0.5), Options(output=str(tmp_path)))
    line = str(error.value)
    assert "\n" not in line and "train.lr was 0.01, is now 0.5" in line
    assert "use its config, or another output folder" in line
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


REAL = (
    "--config.train.steps=24",
    "--config.train.batch=2",
    "--config.data.height=65",
    "--config.data.width=65",
    "--config.train.log.every=1",
    "--config.train.log.checkpoint=2",
    "--config.train.log.validate=12",
    "--config.train.log.clips=1",
    "--config.train.log.frames=3",
)


def begin(folder, cache):
    """Starts a real training of AOT-T."""
    return subprocess.Popen(
        [sys.executable, "launch.py", "--config", "configs/train_rendered.py"]
        + ["--output", folder, *REAL],
        stdout=subprocess.PIPE,
        text=True,
        cwd=TESTS.parent,
        env=os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)},
    )


def digests(folder):
    """The digests of weights, average, moments and step after the last step."""
    return json.loads((folder / "checkpoints" / "24" / "digests" / "metadata").read_text())


@pytest.mark.slow
def test_a_real_training_killed_three_times_and_preempted_equals_an_unbroken_one(tmp_path, cache):
    out, rng = tmp_path / "out", np.random.default_rng(0)
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        process = begin(out, cache)
        try:
            assert any(line.startswith("step") for line in process.stdout)  # up to the first one
            time.sleep(rng.uniform(0, 1))
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=GRACE)
        finally:
            process.kill()
            process.communicate()
        if number == signal.SIGTERM:
            assert str(steps(out)[-1]) == rows(out)[-1]["step"]
    for folder in out, tmp_path / "whole":
        process = begin(folder, cache)
        process.communicate()
        assert process.returncode == 0
    assert digests(out) == digests(tmp_path / "whole")
    assert rows(out) == rows(tmp_path / "whole")
