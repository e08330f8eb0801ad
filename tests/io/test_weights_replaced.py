"""Weights and card are replaced as one: killed anywhere, the old or the new pair is usable."""

import errno
import json
import os
import pathlib
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

from vosjax.checkpoints.weights import load_weights, save_weights
from vosjax.errors import DiskFull, InputError

CARD = {"family": "toy", "config": {}, "source": "a test", "licence": "none"}
TOP = pathlib.Path(__file__).parents[2]


def params(value):
    return {"a": {"b": np.full((3, 4), value, np.float32)}, "c": np.float32(value)}


def value_of(folder):
    weights, card = load_weights(folder)
    assert weights["c"] == weights["a"]["b"][0, 0] and card["source"] == f"of {weights['c']:.0f}"
    return float(weights["c"])


def save(folder, value):
    return save_weights(folder, params(value), card=CARD | {"source": f"of {value}"})


# A child is killed at the n-th thing that it does to the folder, for every n there is.
KILLED = """
import os, pathlib, shutil, signal, sys
sys.path[:0] = sys.argv[1:3]
from io_test import save, value_of

folder = pathlib.Path(sys.argv[3])
for n in range(100):
    shutil.rmtree(folder, ignore_errors=True)
    save(folder, 1)
    pid = os.fork()
    if not pid:
        done = [0]

        def hook(event, arguments):
            if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir"):
                if str(folder) in str(arguments[0]):
                    if done[0] == n:
                        os.kill(os.getpid(), signal.SIGKILL)
                    done[0] += 1

        sys.addaudithook(hook)
        save(folder, 2)
        os._exit(0)
    killed = os.waitpid(pid, 0)[1] == signal.SIGKILL
    print(n, value_of(folder), len(list(folder.iterdir())))
    if not killed:
        break
    save(folder, 3)
    assert value_of(folder) == 3 and len(list(folder.iterdir())) == 2
"""


def test_a_save_that_is_killed_leaves_a_usable_pair(tmp_path):
    (tmp_path / "io_test.py").write_text(pathlib.Path(__file__).read_text())
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(TOP), str(tmp_path / "weights")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    values = [float(value) for _, value, _ in rows]
    assert values == sorted(values) and values[0] == 1 and values[-1] == 2
    assert len(rows) > 5 and values.count(2) > 2  # killed after the switch, too
    assert rows[-1][2] == "2"


def test_other_readers_find_both_files_under_their_names(tmp_path):
    import hashlib

    for value in (1, 2):
        card = save(tmp_path, value)
        data = (tmp_path / "weights.safetensors").read_bytes()
        assert hashlib.sha256(data).hexdigest() == card["sha256"]
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "card.json",
            "weights.safetensors",
        ]


def test_the_card_tells_which_array_is_damaged(tmp_path):
    save(tmp_path, 1)
    path = tmp_path / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"sha256 .* \(what differs: a/b\)"):
        load_weights(tmp_path)
    assert set(json.loads((tmp_path / "card.json").read_text())["arrays"]) == {"a/b", "c"}


def test_a_full_disk_leaves_the_old_pair_and_nothing_else(tmp_path, monkeypatch):
    save(tmp_path, 1)

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    replace, calls = os.replace, []

    def second(source, target):
        calls.append(target)
        (full if len(calls) == 2 else replace)(source, target)

    monkeypatch.setattr(os, "replace", second)
    with pytest.raises(DiskFull):
        save(tmp_path, 2)
    assert value_of(tmp_path) == 1 and len(list(tmp_path.iterdir())) == 2


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        save(tmp_path / "file" / "weights", 1)


@pytest.mark.parametrize(
    "bad, words",
    [
        (np.array([[1, np.nan], [np.nan, 0]], np.float32), "'head/bias' holds 2 NaN of 4 values"),
        (np.full(1204, np.inf, np.float16), "'head/bias' holds 1,204 infinite of 1,204 values"),
        (np.array([np.nan, -np.inf], ml_dtypes.bfloat16), "1 NaN and 1 infinite of 2 values"),
    ],
)
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path, bad, words, monkeypatch):
    weights = {"head": {"bias": bad, "scale": np.ones(2)}}
    with pytest.raises(InputError, match=words):
        save_weights(tmp_path, weights, card=CARD)
    assert not list(tmp_path.iterdir())
    with monkeypatch.context() as patch:  # as an earlier version stored them
        patch.setattr("vosjax.checkpoints.weights.check_finite", lambda flat, what: None)
        save_weights(tmp_path, weights, card=CARD)
    with pytest.raises(InputError, match=words) as error:
        load_weights(tmp_path)
    assert "weights.safetensors" in str(error.value) and "\n" not in str(error.value)
