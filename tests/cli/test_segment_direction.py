"""`--mode segment` with masks inside a video: both directions, stopped and resumed."""

import csv
import json
import os
import signal

import numpy as np
import pytest
from support.command import FRAMES, LABELS, masks_of
from support.films import overwrite, places, write_film
from support.processes import made, workplace

import vosjax
from vosjax.io.palette import write_label_png
from vosjax.tracking import tracker


def record_of(folder):
    return json.loads((folder / "run.json").read_text())


@pytest.fixture
def mask_flags(workdir):
    """The flags for masks of frames 3 (object 1) and 7 (both)."""
    write_label_png(workdir.root / "3.png", np.where(LABELS[3] == 1, 1, 0).astype(np.uint8))
    write_label_png(workdir.root / "7.png", LABELS[7])
    return [f"--masks={index}={workdir.root / f'{index}.png'}" for index in (3, 7)]


@pytest.fixture
def segment(workdir, mask_flags):
    def run(*more, out=workdir.out, video=workdir.video):
        words = ["--config", workdir.config, "--video", video, "--output", out]
        return workdir.run(*words, *mask_flags, *more)

    return run


def test_a_video_is_followed_to_both_sides(workdir, segment, capsys):
    assert segment() == 0
    masks = masks_of(workdir.out)
    assert (masks == LABELS).mean() > 0.8 and (masks[0] > 0).any()
    np.testing.assert_array_equal(masks[7], LABELS[7])
    np.testing.assert_array_equal(masks[3] == 1, LABELS[3] == 1)
    assert sorted(path.name for path in workdir.out.iterdir()) == [
        "masks",
        "overlay.mp4",
        "run.json",
        "scores.csv",
    ]
    rows = list(csv.reader((workdir.out / "scores.csv").open()))[1:]
    assert [(row[0], row[2]) for row in rows] == [
        (str(t), str(n)) for t in range(10) for n in (1, 2)
    ]
    assert [int(row[5]) for row in rows[::2]] == [(mask == 1).sum() for mask in masks]
    record = record_of(workdir.out)
    assert record["settings"]["direction"] == "both" and record["frames"] == 10
    capsys.readouterr()
    assert segment() == 0 and "is complete (10 frames)" in capsys.readouterr().out


def test_python_gives_what_the_command_gives(workdir, segment):
    assert segment() == 0
    model = vosjax.load(workdir.weights, mem_every=2)
    masks = {3: np.where(LABELS[3] == 1, 1, 0), 7: LABELS[7]}
    results = list(vosjax.segment(FRAMES, masks, model=model))
    np.testing.assert_array_equal([result.labels for result in results], masks_of(workdir.out))
    rows = list(csv.DictReader((workdir.out / "scores.csv").open()))
    probabilities = [s.mean_probability for r in results for s in r.scores.values()]
    np.testing.assert_allclose(
        [float(row["mean_probability"]) for row in rows], probabilities, atol=1e-4
    )


@pytest.mark.parametrize("direction, empty", [("forward", [0, 1, 2]), ("backward", [8, 9])])
def test_one_direction_alone(workdir, segment, direction, empty):
    assert segment("--direction", direction) == 0
    masks = masks_of(workdir.out)
    assert [t for t in range(10) if not masks[t].any()] == empty
    assert record_of(workdir.out)["settings"]["direction"] == direction


def test_the_config_has_the_direction_too_and_the_flag_goes_first(workdir, segment):
    assert segment("--config.direction=backward") == 0
    assert not masks_of(workdir.out)[9].any()
    other = workdir.root / "other"
    assert segment("--config.direction=backward", "--direction=forward", out=other) == 0
    assert not masks_of(other)[0].any() and masks_of(other)[9].any()


@pytest.mark.parametrize("flag", ["--direction=forwards", "--config.direction=forwards"])
def test_an_unknown_direction_is_one_line(segment, capsys, flag):
    assert segment(flag) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'forwards'" in line and "both, forward, backward" in line


def test_another_direction_is_another_run(segment, capsys):
    assert segment() == 0
    assert segment("--direction=forward") == 2
    assert 'direction was "both", is now "forward"' in capsys.readouterr().err


def test_a_run_that_does_not_name_its_direction_was_forward(workdir, capsys):
    assert workdir.segment() == 0
    record = record_of(workdir.out)
    assert record["settings"].pop("direction") == "forward"
    (workdir.out / "run.json").write_text(json.dumps(record))
    capsys.readouterr()
    assert workdir.segment() == 0
    assert "is complete (10 frames)" in capsys.readouterr().out


@pytest.mark.parametrize("at", range(0, 18, 3))
def test_a_run_that_is_stopped_anywhere_ends_the_same(workdir, segment, monkeypatch, capsys, at):
    """Of its 18 steps the first eight go backward."""
    whole = workdir.root / "whole"
    assert segment(out=whole) == 0
    submit, steps = tracker.Tracker.submit, []

    def with_signal(self, frame, labels=None):
        steps.append(self.time)
        if len(steps) == at + 1:
            os.kill(os.getpid(), signal.SIGINT)
        return submit(self, frame, labels)

    with monkeypatch.context() as patch:
        patch.setattr(tracker.Tracker, "submit", with_signal)
        capsys.readouterr()
        assert segment() == 130
    point = "on the way back" if at < 8 else f"after {at - 7} frames"
    assert f"stopped {point}; the same command goes on" in capsys.readouterr().out
    assert record_of(workdir.out)["status"] == "interrupted"
    before = len(steps)
    with monkeypatch.context() as patch:
        patch.setattr(tracker.Tracker, "submit", with_signal)
        assert segment() == 0
    assert len(steps) - before == 18 - before, "nothing is done twice"
    assert made(workdir.out, "masks", "scores.csv", "overlay.mp4") == made(
        whole, "masks", "scores.csv", "overlay.mp4"
    )
    assert not (workdir.out / "state").exists()


def torn(root, *lost):
    """An AVI file of the clip without some of its frames."""
    options = {"qmin": "2", "qmax": "2"}
    path = root / "v.avi"
    write_film(path, list(FRAMES), codec="mjpeg", layout="yuvj420p", options=options)
    spans = places(path)
    overwrite(path, [spans[index] for index in lost])
    return path


@pytest.mark.parametrize("direction", ["both", "forward", "backward"])
def test_a_mask_of_a_lost_frame_is_refused(workdir, segment, capsys, direction):
    assert segment("--direction", direction, video=torn(workdir.root, 7)) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "a mask was given for frame 7, which cannot be decoded" in line


def test_lost_frames_are_passed_over_in_both_directions(workdir, segment):
    assert segment(video=torn(workdir.root, 1, 5, 9)) == 0
    masks = masks_of(workdir.out)
    assert len(masks) == 10 and record_of(workdir.out)["missing_frames"] == [1, 5, 9]
    np.testing.assert_array_equal(masks[[1, 5, 9]], masks[[0, 4, 8]])
    assert (np.delete(masks, (1, 5, 9), 0) == np.delete(LABELS, (1, 5, 9), 0)).mean() > 0.8


@pytest.mark.parametrize("direction", ["both", "forward"])
def test_an_image_that_cannot_be_read_ends_a_run_behind_the_frames_before_it(
    workdir, segment, direction, capsys
):
    """Whatever the direction: the results of what comes before are there."""
    image = workdir.root / "frames" / "00005.png"
    image.write_bytes(image.read_bytes()[:60])
    assert segment("--direction", direction) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "frame 5: image " in lines[0] and "00005.png" in lines[0]
    masks = masks_of(workdir.out)
    assert len(masks) == 5 and record_of(workdir.out)["status"] == "running"
    assert segment("--direction", direction) == 2  # the same again
    assert len(capsys.readouterr().err.splitlines()) == 1
    np.testing.assert_array_equal(masks_of(workdir.out), masks)
    assert segment("--direction=forward", out=workdir.root / "other") == 2
    np.testing.assert_array_equal(masks_of(workdir.root / "other"), masks)


def test_a_pass_backward_alone_has_nothing_behind_an_image_that_cannot_be_read(
    workdir, segment, capsys
):
    (workdir.root / "frames" / "00005.png").write_bytes(b"")
    assert segment("--direction=backward") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "frame 5: image " in lines[0]
    assert not list((workdir.out / "masks").glob("*.png"))


def test_a_run_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path):
    workdir = workplace(tmp_path)
    masks = [f"--masks={t}={workdir.data / 'Annotations' / 'cow' / f'{t:05d}.png'}" for t in (3, 6)]

    def segment(out, **variables):
        video = workdir.data / "JPEGImages" / "cow"
        return workdir.run("--video", video, "--output", out, *masks, **variables)

    whole, out = workdir.root / "film", workdir.root / "torn"
    assert segment(whole) == 0
    for moment in "00005.npz", "state/backward.npz", "00000.npz", "masks/00005.png", "overlay.mp4":
        assert segment(out, DIES_AT=moment) == -9
        assert not (out / "overlay.mp4").exists()
    assert segment(out) == 0
    files = [path.name for path in whole.iterdir() if path.name != "run.json"]
    assert made(out, ".").keys() == made(whole, ".").keys()
    assert made(out, *files) == made(whole, *files)
