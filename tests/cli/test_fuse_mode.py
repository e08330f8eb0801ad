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


def fuse(place, *runs, way="mean", more=()):
    return place.run(
        "--mode",
        "fuse",
        "--config",
        "configs/base.py",
        "--input",
        *runs,
        "--output",
        place.out,
        f"--config.fuse={way}",
        *more,
    )


@pytest.mark.parametrize("way", ["mean", "max"])
def test_the_surer_run_wins(place, runs, way):
    assert fuse(place, *runs[1:], way=way) == 0
    fused, right, late = table(place.out), table(runs[1]), table(runs[2])
    assert vars(fused)["global"] == vars(right)["global"] != vars(late)["global"]
    assert (place.out / "submission.zip").is_file()


def test_the_mean_is_that_of_the_files(place, runs):
    assert fuse(place, *runs[1:]) == 0
    stack = [
        probabilities.read(each / "probabilities" / "dog" / "00003.npz")[0] for each in runs[1:]
    ]
    np.testing.assert_array_equal(
        read_label_png(place.out / "masks" / "dog" / "00003.png"), np.mean(stack, 0).argmax(0)
    )


def test_weights_turn_the_vote(place, runs):
    assert fuse(place, *runs[1:], more=("--config.fuse_weights=(1.0, 9.0)",)) == 0
    assert vars(table(place.out))["global"] == vars(table(runs[2]))["global"]


def test_key_points_without_matches_fall_back_to_the_mean(place, runs):
    """Squares without texture have no key points to speak of."""
    assert fuse(place, *runs[1:], way="keypoints") == 0
    assert vars(table(place.out))["global"] == vars(table(runs[1]))["global"]


def test_given_masks_stand_as_given(place, runs):
    assert fuse(place, runs[2], runs[2]) == 0
    for sequence in videos.discover(runs[0]):
        np.testing.assert_array_equal(
            read_label_png(place.out / "masks" / sequence.name / "00000.png"),
            videos.read_labels(sequence, 0),
        )


def test_finished_videos_are_left_alone(place, runs):
    assert fuse(place, *runs[1:]) == 0
    file = place.out / "masks" / "cow" / "00002.png"
    before = file.stat().st_mtime_ns
    assert fuse(place, *runs[1:]) == 0 and file.stat().st_mtime_ns == before


def test_a_lost_file_fails_its_video(place, runs):
    (runs[2] / "probabilities" / "dog" / "00002.npz").unlink()
    assert fuse(place, *runs[1:]) == 1
    found = table(place.out)
    assert list(found.failed) == ["dog"] and vars(found)["global"] is None


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda runs: (runs[1], runs[0]), "holds no run.json"),
        (lambda runs: (), "--input is missing"),
    ],
)
def test_what_is_no_run_is_refused(place, runs, spoil, words, capsys):
    (runs[0] / "probabilities").mkdir(exist_ok=True)
    assert (
        place.run(
            "--mode",
            "fuse",
            "--config",
            "configs/base.py",
            "--output",
            place.out,
            *[word for each in spoil(runs) for word in ("--input", each)],
        )
        == 2
    )
    assert words in capsys.readouterr().err


def test_runs_of_other_data_are_refused(place, runs, tmp_path, capsys):
    other = run(dataset(tmp_path / "more", (("cow", 6),)), tmp_path / "other")
    assert fuse(place, runs[1], other) == 2
    assert "1 videos" in capsys.readouterr().err


def test_weights_that_do_not_fit_are_refused(place, runs, capsys):
    assert fuse(place, *runs[1:], more=("--config.fuse_weights=(1.0,)",)) == 2
    assert "one weight above 0 a run" in capsys.readouterr().err


def test_other_probabilities_are_fused_anew_and_no_other_video(place, runs, capsys):
    assert fuse(place, *runs[1:]) == 0
    before = (place.out / "masks" / "cow" / "00002.png").stat().st_mtime_ns
    here = runs[1] / "probabilities" / "dog"
    (here / "00002.npz").write_bytes((here / "00004.npz").read_bytes())
    capsys.readouterr()
    assert fuse(place, *runs[1:]) == 0
    assert f"dog (the probabilities in {runs[1]} changed since)" in capsys.readouterr().out
    assert (place.out / "masks" / "cow" / "00002.png").stat().st_mtime_ns == before
    fresh = place.root / "fresh"
    assert fuse(place, *runs[1:], more=("--output", fresh)) == 0
    for path in (fresh / "masks").rglob("*.png"):
        assert path.read_bytes() == (place.out / path.relative_to(fresh)).read_bytes()


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b"")])
def test_a_fused_mask_that_is_not_what_was_written_is_made_again(place, runs, spoil, capsys):
    assert fuse(place, *runs[1:]) == 0
    file = place.out / "masks" / "cow" / "00002.png"
    whole = file.read_bytes()
    spoil(file)
    assert fuse(place, *runs[1:]) == 0
    assert "cow (" in capsys.readouterr().out and file.read_bytes() == whole


def test_a_folder_of_someone_else_is_left_alone(place, runs, capsys):
    (place.out / "masks").mkdir(parents=True)
    (place.out / "results.json").write_text("mine")
    for more in ((), ("--overwrite",)):
        assert fuse(place, *runs[1:], more=more) == 2
        assert "holds other files (masks, results.json)" in capsys.readouterr().err
    assert (place.out / "results.json").read_text() == "mine"


def test_overwrite_fuses_another_way(place, runs, capsys):
    assert fuse(place, *runs[1:]) == 0
    assert fuse(place, *runs[1:], way="max") == 2
    assert "fuse.name was" in capsys.readouterr().err
    assert fuse(place, *runs[1:], way="max", more=("--overwrite",)) == 0
    assert fuse(place, *runs[1:], way="max") == 0


def test_one_flipped_byte_of_a_run_fails_its_video_only(place, runs):
    file = runs[2] / "probabilities" / "dog" / "00002.npz"
    data = bytearray(file.read_bytes())
    data[70] ^= 255  # in the compressed probabilities, behind the entry's head
    file.write_bytes(data)
    assert fuse(place, *runs[1:]) == 1
    assert list(table(place.out).failed) == ["dog"]
