"""`--mode fuse`: runs that kept their probabilities become one."""

import numpy as np
import pytest
from support.results_folder import dataset, run, table

from vosjax.eval import probabilities, videos
from vosjax.io.palette import read_label_png


@pytest.fixture
def runs(tmp_path):
    """Data, and two runs of it: one right, the other two frames late and less sure."""
    data = dataset(tmp_path / "davis")
    return (
        data,
        run(data, tmp_path / "right", sure=0.9),
        run(data, tmp_path / "late", late=2, sure=0.6),
    )


def fuse(workdir, *runs, way="mean", more=()):
    return workdir.run(
        "--mode",
        "fuse",
        "--config",
        "configs/base.py",
        "--input",
        *runs,
        "--output",
        workdir.out,
        f"--config.fuse={way}",
        *more,
    )


@pytest.mark.parametrize("way", ["mean", "max"])
def test_the_surer_run_wins(workdir, runs, way):
    assert fuse(workdir, *runs[1:], way=way) == 0
    fused, right, late = table(workdir.out), table(runs[1]), table(runs[2])
    assert vars(fused)["global"] == vars(right)["global"] != vars(late)["global"]
    assert (workdir.out / "submission.zip").is_file()


def test_the_mean_is_that_of_the_files(workdir, runs):
    assert fuse(workdir, *runs[1:]) == 0
    stack = [probabilities.read(run / "probabilities" / "dog" / "00003.npz")[0] for run in runs[1:]]
    np.testing.assert_array_equal(
        read_label_png(workdir.out / "masks" / "dog" / "00003.png"), np.mean(stack, 0).argmax(0)
    )


def test_weights_turn_the_vote(workdir, runs):
    assert fuse(workdir, *runs[1:], more=("--config.fuse_weights=(1.0, 9.0)",)) == 0
    assert vars(table(workdir.out))["global"] == vars(table(runs[2]))["global"]


def test_key_points_without_matches_fall_back_to_the_mean(workdir, runs):
    """Squares without texture have no key points to speak of."""
    assert fuse(workdir, *runs[1:], way="keypoints") == 0
    assert vars(table(workdir.out))["global"] == vars(table(runs[1]))["global"]


def test_given_masks_stand_as_given(workdir, runs):
    assert fuse(workdir, runs[2], runs[2]) == 0
    for sequence in videos.discover(runs[0]):
        np.testing.assert_array_equal(
            read_label_png(workdir.out / "masks" / sequence.name / "00000.png"),
            videos.read_labels(sequence, 0),
        )


def test_finished_videos_are_left_alone(workdir, runs):
    assert fuse(workdir, *runs[1:]) == 0
    file = workdir.out / "masks" / "cow" / "00002.png"
    before = file.stat().st_mtime_ns
    assert fuse(workdir, *runs[1:]) == 0 and file.stat().st_mtime_ns == before


def test_a_lost_file_fails_its_video(workdir, runs):
    (runs[2] / "probabilities" / "dog" / "00002.npz").unlink()
    assert fuse(workdir, *runs[1:]) == 1
    scores = table(workdir.out)
    assert list(scores.failed) == ["dog"] and vars(scores)["global"] is None


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda runs: (runs[1], runs[0]), "holds no run.json"),
        (lambda runs: (), "--input is missing"),
    ],
)
def test_what_is_no_run_is_refused(workdir, runs, spoil, words, capsys):
    (runs[0] / "probabilities").mkdir(exist_ok=True)
    assert (
        workdir.run(
            "--mode",
            "fuse",
            "--config",
            "configs/base.py",
            "--output",
            workdir.out,
            *[word for folder in spoil(runs) for word in ("--input", folder)],
        )
        == 2
    )
    assert words in capsys.readouterr().err


def test_runs_of_other_data_are_refused(workdir, runs, tmp_path, capsys):
    other = run(dataset(tmp_path / "more", (("cow", 6),)), tmp_path / "other")
    assert fuse(workdir, runs[1], other) == 2
    assert "1 videos" in capsys.readouterr().err


def test_weights_that_do_not_fit_are_refused(workdir, runs, capsys):
    assert fuse(workdir, *runs[1:], more=("--config.fuse_weights=(1.0,)",)) == 2
    assert "one weight above 0 a run" in capsys.readouterr().err


def test_other_probabilities_are_fused_anew_and_no_other_video(workdir, runs, capsys):
    assert fuse(workdir, *runs[1:]) == 0
    before = (workdir.out / "masks" / "cow" / "00002.png").stat().st_mtime_ns
    here = runs[1] / "probabilities" / "dog"
    (here / "00002.npz").write_bytes((here / "00004.npz").read_bytes())
    capsys.readouterr()
    assert fuse(workdir, *runs[1:]) == 0
    assert f"dog (the probabilities in {runs[1]} changed since)" in capsys.readouterr().out
    assert (workdir.out / "masks" / "cow" / "00002.png").stat().st_mtime_ns == before
    fresh = workdir.root / "fresh"
    assert fuse(workdir, *runs[1:], more=("--output", fresh)) == 0
    for path in (fresh / "masks").rglob("*.png"):
        assert path.read_bytes() == (workdir.out / path.relative_to(fresh)).read_bytes()


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b"")])
def test_a_fused_mask_that_is_not_what_was_written_is_made_again(workdir, runs, spoil, capsys):
    assert fuse(workdir, *runs[1:]) == 0
    file = workdir.out / "masks" / "cow" / "00002.png"
    whole = file.read_bytes()
    spoil(file)
    assert fuse(workdir, *runs[1:]) == 0
    assert "cow (" in capsys.readouterr().out and file.read_bytes() == whole


def test_a_folder_of_someone_else_is_left_alone(workdir, runs, capsys):
    (workdir.out / "masks").mkdir(parents=True)
    (workdir.out / "results.json").write_text("mine")
    for more in ((), ("--overwrite",)):
        assert fuse(workdir, *runs[1:], more=more) == 2
        assert "holds other files (masks, results.json)" in capsys.readouterr().err
    assert (workdir.out / "results.json").read_text() == "mine"


def test_overwrite_fuses_another_way(workdir, runs, capsys):
    assert fuse(workdir, *runs[1:]) == 0
    assert fuse(workdir, *runs[1:], way="max") == 2
    assert "fuse.name was" in capsys.readouterr().err
    assert fuse(workdir, *runs[1:], way="max", more=("--overwrite",)) == 0
    assert fuse(workdir, *runs[1:], way="max") == 0


def test_one_flipped_byte_of_a_run_fails_its_video_only(workdir, runs):
    file = runs[2] / "probabilities" / "dog" / "00002.npz"
    data = bytearray(file.read_bytes())
    data[70] ^= 255  # in the compressed probabilities, behind the entry's head
    file.write_bytes(data)
    assert fuse(workdir, *runs[1:]) == 1
    assert list(table(workdir.out).failed) == ["dog"]
