"""A training writes to its own folder: another's, and one in use, are left alone."""

import os
import subprocess
import sys

import pytest
from support import small

from vosjax.errors import InputError
from vosjax.io.lock import locked
from vosjax.modes import Options
from vosjax.modes import train as train_mode
from vosjax.train import loop
from vosjax.train.disk import check_ours


@pytest.fixture(autouse=True)
def toy_family(monkeypatch):
    small.install(monkeypatch)


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "files, name",
    [
        ({"metrics.csv": "epoch,accuracy\n1,0.5\n"}, "metrics.csv"),
        ({"config.json": '{"lr": 0.1}'}, "config.json"),
        ({"config.json": "[1, 2]"}, "config.json"),
        ({"config.json": "no json"}, "config.json"),
        ({"config.json": "[" * 100_000}, "config.json"),
        ({"checkpoints/model.pth": "x"}, "checkpoints"),
        ({"checkpoints": "a file"}, "checkpoints"),
        ({"tensorboard/events.out": "x"}, "tensorboard"),
        ({"weights/card.json": "{}", "weights/weights.safetensors": "x"}, "weights"),
        ({"weights": "a file"}, "weights"),
        ({"metrics.csv/of": "a folder"}, "metrics.csv"),
    ],
)
def test_files_of_someone_else_are_left_alone(tmp_path, files, name):
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    before = content(tmp_path)
    with pytest.raises(InputError) as error:
        train_mode.run(small.config(steps=1), Options(output=str(tmp_path)))
    line = str(error.value)
    assert f"{tmp_path} holds {name}" in line and "--output" in line and "\n" not in line
    assert content(tmp_path) == before


def test_other_files_do_not_matter(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    check_ours(tmp_path, [""])


def test_files_that_a_power_cut_emptied_are_ours(tmp_path):
    (tmp_path / "config.json").write_text("")
    (tmp_path / "metrics.csv").write_text("")
    (tmp_path / "weights").mkdir()
    check_ours(tmp_path, [""])


@pytest.mark.parametrize("below", ["file", "file/run", "file/a/b"])
def test_an_output_below_a_file_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=f"{tmp_path / 'file'} is a file; name a folder"):
        loop.train(small.config(steps=1), output=tmp_path / below)


def test_a_folder_that_another_training_writes_to_is_refused(tmp_path):
    code = (
        "import pathlib, sys; from vosjax.io.lock import locked\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with locked(folder / '.lock', what=folder): print('held', flush=True); sys.stdin.read()"
    )
    root = os.path.dirname(os.path.dirname(train_mode.__file__))
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=os.path.dirname(root),
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="is in use by process"):
            loop.train(small.config(steps=1), output=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
        other.kill()
    with locked(tmp_path / ".lock", what=tmp_path):  # the lock ends with its process
        pass


@pytest.mark.parametrize("name", ["lr", "lr_min", "weight_decay", "clip", "warmup", "encoder_lr"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_settings_that_are_no_numbers_are_refused(name, value):
    with pytest.raises(InputError, match=f"train.{name} is (nan|inf); a finite number"):
        small.config(**{name: value})


def test_a_motion_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="data.motion is nan; a finite number"):
        small.config(data=dict(motion=float("nan")))
