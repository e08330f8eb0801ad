"""The zoom in commands: what becomes of the masks, and what stands in the records."""

import csv
import json
import os
import signal

import cv2
import numpy as np
import pytest
from support.clips import COLOURS
from support.command import masks_of, write_frames
from support.zooming import truth_of

from vosjax.io.palette import read_label_png, write_label_png
from vosjax.refine.zoom.stage import Zoom

# A small square; the large one is out of sight.
TRUTH = truth_of(frames=8, side=24, step=(2, 1))[:, 40:120, 40:160]
ON = "--config.refine.zoom=mask"


@pytest.fixture
def film(workdir, monkeypatch):
    """Frames and the first mask of a small square; and small crops, so that the toy is fast."""
    monkeypatch.setattr("vosjax.tracking.crops.SHORT_SIDE", 96)
    monkeypatch.setattr("vosjax.refine.zoom.choose.ENTER", 40_000)
    monkeypatch.setattr("vosjax.refine.zoom.choose.LEAVE", 60_000)
    frames = write_frames(workdir.root / "small", COLOURS[TRUTH])
    write_label_png(workdir.root / "small.png", TRUTH[0])

    def segment(out, *more):
        return workdir.segment(*more, video=frames, masks=workdir.root / "small.png", out=out)

    segment.frames, segment.run, segment.root = frames, workdir.run, workdir.root
    return segment


def record_of(folder, name="run.json"):
    return json.loads((folder / name).read_text())


def film_of(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (answer := capture.read())[0]:
        frames.append(answer[1])
    return np.stack(frames).astype(int)


def test_segment_zooms_after_its_pass_and_counts(film, tmp_path, capsys):
    assert film(tmp_path / "out", ON) == 0
    assert "zoom: 1 small objects, 7 frames of crops" in capsys.readouterr().out
    record, masks = record_of(tmp_path / "out"), masks_of(tmp_path / "out")
    counts = record["refined"]
    assert counts["zoom_frames"] == 7
    outcomes = ("trusted", "halved", "rejected", "lost", "outside")
    assert sum(counts[f"zoom_{name}"] for name in outcomes) == 7
    assert record["settings"]["refine"]["zoom"] == "mask" and record["status"] == "complete"
    np.testing.assert_array_equal(masks[0], TRUTH[0])
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    areas = [int(row["area"]) for row in rows if row["object"] == "1"]
    assert areas == [(labels == 1).sum() for labels in masks]
    assert film(tmp_path / "out", ON) == 0
    assert "is complete (8 frames)" in capsys.readouterr().out


def test_the_overlay_shows_the_crops_if_asked(film, tmp_path):
    assert film(tmp_path / "plain", ON) == 0
    assert film(tmp_path / "shown", ON, "--config.refine.show=True") == 0
    plain, shown = (film_of(tmp_path / name / "overlay.mp4") for name in ("plain", "shown"))
    np.testing.assert_array_equal(masks_of(tmp_path / "plain"), masks_of(tmp_path / "shown"))
    assert len(plain) == len(shown) == 8
    assert (np.abs(plain - shown).max((1, 2, 3)) > 40).all()


def leave(folder):
    """Leaves in a folder what a killed process leaves: whole masks and a half one."""
    write_label_png(folder / "2.png", TRUTH[2])
    (folder / ".3.png.0123abcd.tmp.png").write_bytes(b"half of a mask")
    (folder / "7.png").write_bytes(b"no mask")


def test_a_zoom_that_is_stopped_or_killed_begins_again(film, tmp_path, monkeypatch):
    assert film(tmp_path / "whole", ON) == 0
    frames, waiting = Zoom.__iter__, tmp_path / "out" / "zoomed"

    def with_signal(self):
        for frame in frames(self):
            if frame.index == 4:
                assert (waiting / "3.png").is_file()
                os.kill(os.getpid(), signal.SIGINT)
            yield frame

    monkeypatch.setattr(Zoom, "__iter__", with_signal)
    assert film(tmp_path / "out", ON) == 130
    assert record_of(tmp_path / "out")["status"] == "interrupted" and not waiting.exists()
    monkeypatch.setattr(Zoom, "__iter__", frames)
    leave(waiting)
    assert film(tmp_path / "out", ON) == 0
    np.testing.assert_array_equal(masks_of(tmp_path / "out"), masks_of(tmp_path / "whole"))
    names = ("masks", "overlay.mp4", "run.json", "scores.csv")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)


def test_masks_of_any_program_are_zoomed(film, workdir, tmp_path, capsys):
    first = TRUTH.copy()
    first[5, :, 55:] = 0
    for index, labels in enumerate(first):
        write_label_png(tmp_path / "theirs" / f"{index:05d}.png", labels)
    flags = ("--config", workdir.config, "--input", tmp_path / "theirs", "--video", film.frames)
    out = tmp_path / "out"
    assert film.run("--mode", "refine", *flags, "--output", out, ON) == 0
    assert "zoom: 1 small objects" in capsys.readouterr().out
    record = record_of(out)
    assert record["refined"]["zoom_frames"] == 7 and record["settings"]["refine"]["zoom"] == "mask"
    np.testing.assert_array_equal(masks_of(out)[0], TRUTH[0])


def test_a_run_of_segment_is_zoomed_like_in_the_run_itself(film, workdir, tmp_path):
    assert film(tmp_path / "plain") == 0
    assert film(tmp_path / "zoomed", ON) == 0
    flags = (
        "--config",
        workdir.config,
        "--input",
        tmp_path / "plain",
        "--output",
        tmp_path / "out",
    )
    assert film.run("--mode", "refine", *flags, ON) == 0
    np.testing.assert_array_equal(masks_of(tmp_path / "out"), masks_of(tmp_path / "zoomed"))


def test_boundaries_are_refined_after_the_zoom(film, boundary, tmp_path, capsys):
    more = (f"--config.refine.boundary={boundary}", "--config.refine.boundary_min_area=20")
    assert film(tmp_path / "out", ON, *more) == 0
    printed = capsys.readouterr().out
    assert "zoom: 1 small objects" in printed and "refinement: " in printed
    refined = record_of(tmp_path / "out")["refined"]
    assert refined["patches"] > 0 and refined["zoom_frames"] == 7


@pytest.fixture
def davis(film, workdir):
    """A dataset of one video, and evaluate(out, *flags)."""
    data = film.root / "davis"
    (data / "JPEGImages" / "cow").mkdir(parents=True)
    for index, truth in enumerate(TRUTH):
        path = data / "JPEGImages" / "cow" / f"{index:05d}.jpg"
        cv2.imwrite(str(path), COLOURS[truth][..., ::-1])
        write_label_png(data / "Annotations" / "cow" / f"{index:05d}.png", truth)

    def evaluate(out, *more):
        flags = ("--mode", "eval", "--config", workdir.config, "--data", data, "--output", out)
        return film.run(*flags, *more)

    return evaluate


def test_eval_zooms_every_video_once(davis, tmp_path, capsys):
    assert davis(tmp_path / "out", ON) == 0
    assert "zoom: 1 small objects" in capsys.readouterr().out
    record = tmp_path / "out" / "videos" / "cow.json"
    assert record_of(record.parent, record.name)["refined"]["zoom_frames"] == 7
    assert record_of(tmp_path / "out", "results.json")["refined"]["zoom_frames"] == 7
    before = record.stat().st_mtime_ns
    assert davis(tmp_path / "out", ON) == 0
    assert record.stat().st_mtime_ns == before
    first = read_label_png(tmp_path / "out" / "masks" / "cow" / "00000.png")
    np.testing.assert_array_equal(first, TRUTH[0])


def test_fuse_zooms_what_it_fused(film, workdir, davis, tmp_path):
    assert davis(tmp_path / "a", "--config.eval.probabilities=8") == 0
    fuse = ("--mode", "fuse", "--config", workdir.config, "--input", tmp_path / "a")
    assert film.run(*fuse, "--output", tmp_path / "fused", ON) == 0
    record = tmp_path / "fused" / "videos" / "cow.json"
    assert record_of(record.parent, record.name)["refined"]["zoom_frames"] == 7
    before = record.stat().st_mtime_ns
    assert film.run(*fuse, "--output", tmp_path / "fused", ON) == 0
    assert record.stat().st_mtime_ns == before


def test_a_box_tracker_that_is_not_there_is_one_line(film, tmp_path, capsys):
    assert film(tmp_path / "out", "--config.refine.zoom=nowhere") == 2
    assert "nowhere" in capsys.readouterr().err
