"""`--mode segment`: the files in the folder, and how a run is stopped and resumed."""

import csv
import io
import json
import os
import signal

import cv2
import numpy as np
import pytest
from PIL import Image
from support.command import FRAMES, LABELS, masks_of
from support.traces import numbers, traces

import vosjax
from vosjax.io.palette import DAVIS, write_label_png
from vosjax.io.scores import COLUMNS
from vosjax.loading import pretrained
from vosjax.runs import frame_files
from vosjax.tracking import tracker


@pytest.fixture
def interrupted(monkeypatch):
    """interrupted(t): Ctrl-C comes while frame t is computed."""

    def at(index):
        submit = tracker.Tracker.submit

        def with_signal(self, frame, labels=None):
            if self.time == index:
                os.kill(os.getpid(), signal.SIGINT)
            return submit(self, frame, labels)

        monkeypatch.setattr(tracker.Tracker, "submit", with_signal)
        return lambda: monkeypatch.setattr(tracker.Tracker, "submit", submit)

    return at


def record_of(folder):
    return json.loads((folder / "run.json").read_text())


def film_of(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (answer := capture.read())[0]:
        frames.append(answer[1])
    return np.stack(frames)


def test_chosen_frames_are_profiled_and_overwrite_removes_the_trace(workdir, capsys):
    assert workdir.segment("--config.profile=(2,4)") == 0
    (first,) = traces(workdir.out)
    assert numbers(first, "frame") == [2, 3, 4]
    content = first.read_bytes()
    for region in (b"encode/", b"predict/", b"memory_read", b"commit/", b"to_labels/"):
        assert region in content
    assert str(workdir.out / "tensorboard") in capsys.readouterr().out
    assert workdir.segment("--overwrite") == 0
    assert not (workdir.out / "tensorboard").exists()


def test_one_command_leaves_masks_overlay_scores_and_a_record(workdir, capsys):
    assert workdir.segment() == 0
    assert "10 frames" in capsys.readouterr().out
    assert sorted(p.name for p in workdir.out.iterdir()) == [
        "masks",
        "overlay.mp4",
        "run.json",
        "scores.csv",
    ]
    masks = masks_of(workdir.out)
    np.testing.assert_array_equal(masks[0], LABELS[0])
    assert masks.shape == LABELS.shape and (masks == LABELS).mean() > 0.8
    assert film_of(workdir.out / "overlay.mp4").shape == FRAMES.shape


def test_masks_are_palette_images_named_by_number(workdir):
    workdir.segment()
    assert [p.name for p in sorted((workdir.out / "masks").iterdir())] == [
        f"{t:05d}.png" for t in range(10)
    ]
    with Image.open(workdir.out / "masks" / "00003.png") as image:
        assert image.mode == "P"
        assert image.getpalette()[:9] == DAVIS[:3].ravel().tolist()


def test_scores_have_a_row_for_each_frame_and_object(workdir):
    workdir.segment()
    rows = list(csv.reader((workdir.out / "scores.csv").open()))
    assert tuple(rows[0]) == COLUMNS
    assert [(row[0], row[2]) for row in rows[1:]] == [
        (str(t), str(n)) for t in range(10) for n in (1, 2)
    ]
    masks = masks_of(workdir.out)
    assert [int(row[5]) for row in rows[1:3]] == [(masks[0] == n).sum() for n in (1, 2)]


def test_the_record_tells_settings_weights_versions_and_speed(workdir):
    workdir.segment()
    record = record_of(workdir.out)
    card = json.loads((workdir.root / "weights" / "card.json").read_text())
    assert record["status"] == "complete" and record["frames"] == 10
    assert record["settings"]["weights_sha256"] == card["sha256"]
    assert record["settings"]["mem_every"] == 2
    assert {"vosjax", "jax", "numpy", "platform", "device"} <= record["versions"].keys()
    assert record["speed"]["frames_per_second"] > 0
    assert record["state_bytes"] > 0 and record["peak_memory_bytes"]["process"] > 0


def test_ctrl_c_leaves_whole_files_and_the_same_command_goes_on(workdir, interrupted, capsys):
    whole = workdir.root / "whole"
    workdir.segment(out=whole)
    undo = interrupted(5)
    assert workdir.segment() == 130
    assert "stopped after 6 frames; the same command goes on" in capsys.readouterr().out
    assert record_of(workdir.out)["status"] == "interrupted"
    done = masks_of(workdir.out)
    np.testing.assert_array_equal(done, masks_of(whole)[:6])
    assert len(film_of(workdir.out / "overlay.mp4")) == 6

    undo()
    assert workdir.segment() == 0
    np.testing.assert_array_equal(masks_of(workdir.out), masks_of(whole))
    assert (workdir.out / "scores.csv").read_text() == (whole / "scores.csv").read_text()
    assert len(film_of(workdir.out / "overlay.mp4")) == 10
    assert record_of(workdir.out)["status"] == "complete"
    assert not (workdir.out / "state").exists()


def test_handlers_are_as_before_afterwards(workdir):
    before = signal.getsignal(signal.SIGINT)
    workdir.segment()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_killed_run_goes_on_from_its_last_saved_state(workdir, monkeypatch):
    whole = workdir.root / "whole"
    workdir.segment(out=whole)

    def killed(path, labels, palette):
        if path.stem == "00006":
            raise SystemError("as good as killed")
        write(path, labels, palette)

    write = frame_files.write_label_png
    monkeypatch.setattr(frame_files, "write_label_png", killed)
    assert workdir.segment() == 70
    assert (
        record_of(workdir.out)["status"] == "running" and (workdir.out / frame_files.STATE).exists()
    )

    monkeypatch.setattr(frame_files, "write_label_png", write)
    begun = []
    submit = tracker.Tracker.submit
    monkeypatch.setattr(
        tracker.Tracker,
        "submit",
        lambda self, frame, labels=None: (begun.append(self.time), submit(self, frame, labels))[1],
    )
    assert workdir.segment() == 0
    assert begun == [4, 5, 6, 7, 8, 9]
    np.testing.assert_array_equal(masks_of(workdir.out), masks_of(whole))


def test_a_finished_run_says_so(workdir, capsys):
    workdir.segment()
    capsys.readouterr()
    stamp = (workdir.out / "masks" / "00000.png").stat().st_mtime_ns
    assert workdir.segment() == 0
    assert "is complete (10 frames)" in capsys.readouterr().out
    assert (workdir.out / "masks" / "00000.png").stat().st_mtime_ns == stamp


def test_other_settings_in_the_same_folder_are_refused_by_name(workdir, capsys):
    workdir.segment()
    assert workdir.segment("--config.mem_every=3") == 2
    assert "other settings (mem_every was 2, is now 3)" in capsys.readouterr().err


def test_another_mask_in_the_same_file_is_noticed(workdir, capsys):
    workdir.segment()
    write_label_png(workdir.mask, LABELS[1])
    assert workdir.segment() == 2
    assert "masks_sha256 was" in capsys.readouterr().err


def test_a_folder_of_other_things_is_left_alone(workdir, capsys):
    workdir.out.mkdir()
    (workdir.out / "precious.txt").write_text("mine")
    assert workdir.segment() == 2
    assert "holds other files" in capsys.readouterr().err
    assert [p.name for p in workdir.out.iterdir()] == ["precious.txt"]


def test_masks_of_several_frames_add_and_correct_objects(workdir):
    write_label_png(workdir.root / "a.png", np.where(LABELS[0] == 1, 1, 0).astype(np.uint8))
    write_label_png(workdir.root / "b.png", np.where(LABELS[4] == 2, 2, 0).astype(np.uint8))
    code = workdir.run(
        "--config",
        workdir.config,
        "--video",
        workdir.video,
        "--output",
        workdir.out,
        "--direction=forward",
        f"--masks=0={workdir.root / 'a.png'}",
        f"--masks=00004={workdir.root / 'b.png'}",
    )
    masks = masks_of(workdir.out)
    assert code == 0
    assert not (masks[:4] == 2).any()
    np.testing.assert_array_equal(masks[4] == 2, LABELS[4] == 2)


def test_a_video_file_gives_what_its_frames_give(workdir):
    film = cv2.VideoWriter(
        str(workdir.root / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48)
    )
    for frame in FRAMES:
        film.write(frame[..., ::-1])
    film.release()
    assert workdir.segment(video=str(workdir.root / "v.avi")) == 0
    assert (masks_of(workdir.out) == LABELS).mean() > 0.8


def test_the_overlay_can_be_left_out(workdir):
    assert workdir.segment("--config.overlay=False") == 0
    assert not (workdir.out / "overlay.mp4").exists()


def test_python_gives_what_the_command_gives(workdir):
    workdir.segment()
    model = vosjax.load(workdir.weights, mem_every=2)
    results = list(vosjax.segment(FRAMES, {0: LABELS[0]}, model=model))
    np.testing.assert_array_equal([r.labels for r in results], masks_of(workdir.out))
    assert [r.index for r in results] == list(range(10))
    assert results[3].scores[1].mean_probability > 0
    stepped = vosjax.Tracker(model, objects=2, capacity=5)
    for t, frame in enumerate(FRAMES):
        labels, _ = stepped.step(frame, LABELS[0] if t == 0 else None)
        np.testing.assert_array_equal(labels, results[t].labels)


def test_a_video_of_unknown_length_gives_the_same(workdir):
    model = vosjax.load(workdir.weights, mem_every=1)
    known = [r.labels for r in vosjax.segment(FRAMES, {0: LABELS[0]}, model=model)]
    stream = [r.labels for r in vosjax.segment(iter(FRAMES), {0: LABELS[0]}, model=model)]
    assert np.mean(np.array(known) != np.array(stream)) < 1e-3


def test_a_long_video_stays_in_its_bytes(workdir):
    """500 frames: one trace, and the bytes of the first."""
    model = vosjax.load(workdir.weights, mem_every=1, max_mem_frames=4)
    followed = vosjax.Tracker(model, objects=2, capacity=4)
    followed.step(FRAMES[0], LABELS[0])
    size = followed.state_bytes
    for t in range(500):
        fetch = followed.submit(FRAMES[t % 10])
    fetch()
    assert followed.state_bytes == size and followed.traces == 1 and followed.spec.capacity == 4


def test_settings_of_a_loaded_model_can_be_changed(workdir):
    model = pretrained.configure(vosjax.load(workdir.weights), top_k=4)
    assert model.config["model"]["top_k"] == 4
    list(vosjax.segment(FRAMES[:2], LABELS[0], model=model, top_k=2))


def test_a_name_that_the_package_lacks():
    with pytest.raises(AttributeError, match="no attribute 'sgment'"):
        getattr(vosjax, "sgment")  # noqa: B009


def test_frames_before_an_error_are_given(workdir):
    frames = [*FRAMES[:3], FRAMES[3][:40]]
    results = vosjax.segment(iter(frames), {0: LABELS[0]}, model=vosjax.load(workdir.weights))
    assert [next(results).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="64x40"):
        next(results)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("silent, shown", [(0.0, True), (3.0, False)])
def test_a_film_that_takes_a_while_to_read_is_read_with_a_bar(workdir, monkeypatch, silent, shown):
    monkeypatch.setattr("vosjax.modes._segment_job.SILENT", silent)
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", terminal)
        assert workdir.segment() == 0
    assert ("reading" in terminal.getvalue()) is shown
