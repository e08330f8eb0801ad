"""`--mode render`, `unpack` and `absence`: made, unpacked and measured datasets."""

import pytest
from support import dataset_layouts as layouts
from support.results_folder import dataset, run

from data_prep import shards
from vosjax.eval import videos
from vosjax.io.scores import ObjectScore, ScoreWriter


@pytest.fixture
def launch(workdir):
    """A command of a mode; returns its exit code."""

    def launch(mode, *more):
        return workdir.run("--mode", mode, "--config", "configs/base.py", *more)

    return launch


def test_render_writes_a_dataset_that_eval_takes(launch, tmp_path, capsys):
    folder = tmp_path / "rendered"
    small = [f"--config.render.{name}={value}" for name, value in (("clips", 2), ("frames", 4))]
    size = ["--config.render.height=32", "--config.render.width=48"]
    assert launch("render", "--output", folder, *small, *size) == 0
    rendered = videos.discover(folder)
    assert [len(video.frames) for video in rendered] == [4, 4]
    assert videos.read_frame(rendered[0], 0).shape == (32, 48, 3)
    assert "2 clips of 4 frames" in capsys.readouterr().out


def test_render_needs_a_folder_and_sensible_numbers(launch, tmp_path, capsys):
    assert launch("render") == 2
    assert "--output is missing" in capsys.readouterr().err
    assert launch("render", "--output", tmp_path / "x", "--config.render.frames=0") == 2
    assert "at least 1 is expected" in capsys.readouterr().err


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """(the source, the prepared dataset) of YouTube-VOS with train and valid."""
    root = tmp_path_factory.mktemp("prepared")
    source = layouts.youtube_vos(root / "source")
    shards.prepare("youtube_vos/2019", source=source, output=root / "out")
    return source, root / "out/youtube_vos"


def test_unpack_gives_the_files_back(launch, prepared, tmp_path, capsys):
    source, stored = prepared
    choice = ["--config.eval.split=train", "--config.eval.names=('0b0b0b0b0b',)"]
    assert launch("unpack", "--data", stored, "--output", tmp_path / "back", *choice) == 0
    assert "1 videos" in capsys.readouterr().out
    for kind in ("JPEGImages", "Annotations"):
        before, after = (
            {path.name: path.read_bytes() for path in (root / kind / "0b0b0b0b0b").iterdir()}
            for root in (source / "train", tmp_path / "back")
        )
        assert before == after


def test_unpack_names_what_is_missing(launch, prepared, tmp_path, capsys):
    assert launch("unpack", "--output", tmp_path / "back") == 2
    assert "--data DATASET" in capsys.readouterr().err
    flags = ("--data", prepared[1], "--output", tmp_path / "back")
    assert launch("unpack", *flags) == 2
    assert "has the splits train, valid" in capsys.readouterr().err
    assert launch("unpack", *flags, "--config.eval.split=valid", "--config.eval.names=('x',)") == 2
    assert "has no video x" in capsys.readouterr().err


def test_absence_tells_how_right_a_run_is(launch, tmp_path, capsys):
    data = dataset(tmp_path / "davis", (("cow", 4),))
    out = run(data, tmp_path / "run")
    with ScoreWriter(out / "scores" / "cow.csv") as writer:
        for index in range(4):
            writer.write(index, f"{index:05d}", [ObjectScore(1, 0.9, 0.5, 7, index == 2)])
    assert launch("absence", "--input", out) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "3 objects in frames, 0 of them absent"
    assert said[2].split()[:3] == ["as", "called", "0.000"]


def test_absence_needs_a_complete_run(launch, tmp_path, capsys):
    assert launch("absence") == 2
    assert "--input is missing" in capsys.readouterr().err
    assert launch("absence", "--input", tmp_path) == 2
    assert "holds no results.json" in capsys.readouterr().err


SMALL = [
    f"--config.render.{name}={value}"
    for name, value in (("clips", 1), ("frames", 3), ("height", 32), ("width", 48))
]


def tree(folder):
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_render_leaves_a_folder_of_someone_else_alone(launch, tmp_path, capsys):
    theirs = dataset(tmp_path / "davis")
    before = tree(theirs)
    for more in ((), ("--overwrite",)):
        assert launch("render", "--output", theirs, *SMALL, *more) == 2
        assert "holds other files (Annotations, JPEGImages)" in capsys.readouterr().err
    assert tree(theirs) == before


def test_render_of_other_settings_begins_anew_only_if_asked(launch, tmp_path, capsys):
    folder = tmp_path / "rendered"
    assert launch("render", "--output", folder, *SMALL, "--config.render.clips=2") == 0
    assert launch("render", "--output", folder, *SMALL) == 2
    assert "render.clips was 2, is now 1" in capsys.readouterr().err
    assert launch("render", "--output", folder, *SMALL, "--overwrite") == 0
    assert [video.name for video in videos.discover(folder)] == ["rendered000"]
    before = tree(folder / "JPEGImages")
    assert launch("render", "--output", folder, *SMALL) == 0
    assert tree(folder / "JPEGImages") == before


def test_unpack_leaves_a_folder_of_someone_else_alone(launch, prepared, tmp_path, capsys):
    theirs = dataset(tmp_path / "davis")
    before = tree(theirs)
    flags = ("--data", prepared[1], "--output", theirs, "--config.eval.split=train")
    assert launch("unpack", *flags) == 2
    assert "holds other files (Annotations, JPEGImages)" in capsys.readouterr().err
    assert tree(theirs) == before


def test_unpack_writes_everything_anew(launch, prepared, tmp_path, capsys):
    out = tmp_path / "back"
    flags = ("--data", prepared[1], "--output", out, "--config.eval.split=train")
    assert launch("unpack", *flags) == 0
    before = tree(out / "JPEGImages")
    stale = next((out / "JPEGImages").rglob("*.jpg")).with_name("99999.jpg")
    stale.write_bytes(b"of an earlier version of the dataset")
    (out / "notes.txt").write_text("mine")
    assert launch("unpack", *flags) == 0
    assert tree(out / "JPEGImages") == before and (out / "notes.txt").exists()
    one = "--config.eval.names=('0b0b0b0b0b',)"
    assert launch("unpack", *flags, one) == 2
    assert "names was []" in capsys.readouterr().err
    assert launch("unpack", *flags, one, "--overwrite") == 0
    assert [path.name for path in (out / "JPEGImages").iterdir()] == ["0b0b0b0b0b"]
