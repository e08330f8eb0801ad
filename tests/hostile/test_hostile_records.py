"""Damaged records of complete runs: report, fuse and absence name the file, or work."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import results_folder

from vosjax import cli
from vosjax.eval import folder, probabilities, videos


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A dataset, two runs of it with their probabilities, and a folder for what is made."""
    root = tmp_path_factory.mktemp("records")
    data = results_folder.dataset(root / "davis", (("cow", 4),))
    for number in (0, 1):
        results_folder.run(data, root / f"run{number}", late=number)
    return root


@pytest.fixture
def copy(runs, tmp_path):
    for name in ("run0", "run1"):
        shutil.copytree(runs / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def command(copy, capfd):
    """command(mode) -> (exit code, stderr) over the two runs."""

    def run(mode):
        words = ["--input", str(copy / "run0"), str(copy / "run1")]
        made = {"report": "page.html", "fuse": "fused"}
        words += ["--output", str(copy / made[mode])] if mode in made else []
        code = cli.main([mode, *words])
        return code, capfd.readouterr().err

    return run


def test_whole_runs_are_reported_and_fused(command, copy):
    assert command("report")[0] == 0 and command("fuse")[0] == 0


def change(path, *keys, value):
    content = json.loads(path.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(content))


RESULTS = {
    "nothing": lambda path: path.write_text("{}"),
    "a list": lambda path: path.write_text("[]"),
    "a number": lambda path: path.write_text("3"),
    "no JSON": lambda path: path.write_text("{"),
    "brackets": lambda path: path.write_text("[" * 100_000),
    "bytes": lambda path: path.write_bytes(bytes(range(256))),
    "a text for a mean": lambda path: change(path, "sequences", "cow", "J-Mean", value="0.5"),
    "a text in the table": lambda path: change(path, "global", "J-Mean", value="x"),
    "a list for the table": lambda path: change(path, "global", value=[1]),
    "a text for sequences": lambda path: change(path, "sequences", value="x"),
    "a list for a sequence": lambda path: change(path, "sequences", "cow", value=[]),
    "texts for a curve": lambda path: change(
        path, "sequences", "cow", "objects", "1", "J", value=["a"]
    ),
    "a curve that is too short": lambda path: change(
        path, "sequences", "cow", "objects", "1", "J", value=[0.5]
    ),
    "numbers for frames": lambda path: change(
        path, "sequences", "cow", "objects", "1", "frames", value=[1, 2]
    ),
    "a list for failures": lambda path: change(path, "failed", value=[1]),
    "no settings": lambda path: change(path, "settings", value={}),
    "a text for settings": lambda path: change(path, "settings", value="x"),
    "a list for eval": lambda path: change(path, "settings", "eval", value=[1]),
    "no versions": lambda path: change(path, "versions", value={}),
    "a text for the speed": lambda path: change(path, "speed", value={"frames_per_second": "fast"}),
}


@pytest.mark.parametrize("what", RESULTS)
def test_a_results_json_that_holds(what, command, copy):
    RESULTS[what](copy / "run1" / "results.json")
    code, err = command("report")
    assert code == 2 and "run1/results.json" in err and err.count("\n") == 1, err
    assert not (copy / "page.html").exists()


def test_absence_of_a_damaged_table(command, copy):
    for run in ("run0", "run1"):
        (copy / run / "scores").mkdir()
        (copy / run / "scores" / "cow.csv").write_text("frame,object\nx,y\n")
    code, err = command("absence")
    assert code == 2 and "cow.csv is no table of scores" in err and err.count("\n") == 1


RUN = {
    "nothing": lambda path: path.write_text("{}"),
    "no JSON": lambda path: path.write_text("{"),
    "no eval": lambda path: change(path, "settings", value={"data": "x", "videos": 1}),
    "a list for eval": lambda path: change(path, "settings", "eval", value=[]),
    "a number for the dataset": lambda path: change(path, "settings", "data", value=3),
    "a field that eval has not": lambda path: change(path, "settings", "eval", value={"x": 1}),
}


@pytest.mark.parametrize("what", RUN)
def test_a_run_json_that_holds(what, command, copy):
    for run in ("run0", "run1"):
        RUN[what](copy / run / "run.json")
    code, err = command("fuse")
    assert code == 2 and err.count("\n") == 1 and "unexpected" not in err, err
    assert "run0" in err, err


def test_a_damaged_file_of_probabilities_fails_its_video_and_is_named(command, copy):
    path = copy / "run1" / "probabilities" / "cow" / "00002.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    code, _ = command("fuse")
    assert code == 1
    assert "cow/00002.npz" in json.loads((copy / "fused/results.json").read_text())["failed"]["cow"]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_flipped_or_cut_file_of_probabilities_is_right_or_named(runs, tmp_path, data):
    (video,) = videos.discover(runs / "davis")
    path = folder.probabilities_file(runs / "run0", video, 1)
    content = bytearray(path.read_bytes())
    truth = probabilities.read(path)
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    damaged = tmp_path / "frame.npz"
    damaged.write_bytes(content)
    try:
        probs, ids = probabilities.read(damaged)
    except ValueError as error:  # InputError
        assert "frame.npz" in str(error) and "\n" not in str(error)
        return
    assert ids == truth[1] and np.array_equal(probs, truth[0])


def test_one_damaged_first_mask_fails_its_video_alone(tmp_path):
    data = results_folder.dataset(tmp_path / "davis")
    (data / "Annotations/cow/00000.png").write_bytes(b"no mask")
    cow, dog = videos.discover(data)
    assert "cow/00000.png cannot be read" in cow.damage and not dog.damage
    assert folder.done(tmp_path / "out", cow) is None


@pytest.mark.parametrize("value", [{}, [], "x", {"name": "cow"}, {"files": 3}])
def test_a_video_record_of_another_form_is_no_record(value, runs, tmp_path):
    (video,) = videos.discover(runs / "davis")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/cow.json").write_text(json.dumps(value))
    assert folder.done(tmp_path, video) is None
