"""`--mode segment` and `vosjax.segment` on unusual videos: lost frames, uneven times, frozen
sources, buffers that the caller uses again.
"""

import csv
import functools
import http.server
import json
import os
import signal
import threading
import time

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from support.command import FRAMES, LABELS, masks_of
from support.films import copy_packets, overwrite, places, write_film

import vosjax
from vosjax.errors import InputError
from vosjax.tracking import tracker


def record_of(folder):
    return json.loads((folder / "run.json").read_text())


def times_of(path):
    with av.open(str(path)) as film:
        packets = [packet for packet in film.demux(video=0) if packet.size]
        return [float(packet.pts * packet.time_base) for packet in packets]


@pytest.fixture
def torn(workdir):
    """An AVI file of the clip of which frames 4 and 8 are lost."""
    path = write_film(
        workdir.root / "v.avi",
        list(FRAMES),
        codec="mjpeg",
        layout="yuvj420p",
        options={"qmin": "2", "qmax": "2"},
    )
    spans = places(path)
    overwrite(path, [spans[4], spans[8]])
    return str(path)


def test_a_lost_frame_has_the_masks_of_the_one_before(workdir, torn, capsys):
    assert workdir.segment(video=torn) == 0
    masks = masks_of(workdir.out)
    assert len(masks) == 10
    np.testing.assert_array_equal(masks[4], masks[3])
    np.testing.assert_array_equal(masks[8], masks[7])
    assert (np.delete(masks, (4, 8), 0) == np.delete(LABELS, (4, 8), 0)).mean() > 0.8
    record = record_of(workdir.out)
    assert record["missing_frames"] == [4, 8] and record["frames"] == 10
    (note,) = capsys.readouterr().err.splitlines()
    assert note.startswith("launch.py: note: video ") and "2 frames (4, 8) cannot be" in note
    assert record["notes"] == [note.removeprefix("launch.py: note: ")]
    assert len(times_of(workdir.out / "overlay.mp4")) == 10


def test_the_network_does_not_see_a_frame_that_is_lost(workdir, torn, monkeypatch):
    seen = []
    submit = tracker.Tracker.submit
    monkeypatch.setattr(
        tracker.Tracker,
        "submit",
        lambda self, frame, labels=None: (seen.append(self.time), submit(self, frame, labels))[1],
    )
    assert workdir.segment(video=torn) == 0
    assert seen == [0, 1, 2, 3, 5, 6, 7, 9]


@pytest.mark.parametrize("at", [3, 4, 6, 7])
def test_a_run_that_is_taken_up_beside_a_lost_frame_ends_the_same(workdir, torn, monkeypatch, at):
    """Frame 4 follows the state that is saved after frame 3, and is lost."""
    whole = workdir.root / "whole"
    workdir.segment(video=torn, out=whole)
    submit = tracker.Tracker.submit

    def with_signal(self, frame, labels=None):
        if self.time == at:
            os.kill(os.getpid(), signal.SIGINT)
        return submit(self, frame, labels)

    with monkeypatch.context() as patch:
        patch.setattr(tracker.Tracker, "submit", with_signal)
        if at != 4:  # which is never submitted
            assert workdir.segment(video=torn) == 130
    assert workdir.segment(video=torn) == 0
    np.testing.assert_array_equal(masks_of(workdir.out), masks_of(whole))
    for name in ("scores.csv", "overlay.mp4"):
        assert (workdir.out / name).read_bytes() == (whole / name).read_bytes()
    assert record_of(workdir.out)["missing_frames"] == [4, 8]


def test_a_mask_for_a_lost_frame_is_refused(workdir, torn, capsys):
    masks = [f"--masks={index}={workdir.mask}" for index in (0, 4)]
    words = ["--config", workdir.config, "--video", torn, "--output", str(workdir.out), *masks]
    assert workdir.run(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "a mask was given for frame 4, which cannot be decoded: give one for" in line
    assert len(masks_of(workdir.out)) == 4, "what came before is there"


def test_python_is_told_which_frames_are_lost(workdir, torn):
    model = vosjax.load(workdir.weights, mem_every=2)
    with pytest.warns(UserWarning, match=r"2 frames \(4, 8\) cannot be decoded"):
        results = list(vosjax.segment(torn, LABELS[0], model=model))
    assert [result.index for result in results if result.missing] == [4, 8]
    np.testing.assert_array_equal(results[4].labels, results[3].labels)
    assert results[4].scores == results[3].scores


def test_the_overlay_lasts_as_long_as_the_video(workdir):
    times = [0, 0.04, 0.08, 0.12, 0.5, 1, 1.5, 2, 3, 3.2]
    write_film(workdir.root / "v.mkv", list(FRAMES), times=times)
    assert workdir.segment(video=str(workdir.root / "v.mkv")) == 0
    np.testing.assert_allclose(times_of(workdir.out / "overlay.mp4"), times, atol=2e-3)
    assert record_of(workdir.out)["notes"] == []


def test_an_overlay_that_is_made_anew_has_the_same_times(workdir, monkeypatch):
    times = [0, 0.04, 0.08, 0.12, 0.5, 1, 1.5, 2, 3, 3.2]
    path = str(write_film(workdir.root / "v.mkv", list(FRAMES), times=times))
    whole = workdir.root / "whole"
    workdir.segment(video=path, out=whole)
    submit = tracker.Tracker.submit

    def with_signal(self, frame, labels=None):
        if self.time == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return submit(self, frame, labels)

    with monkeypatch.context() as patch:
        patch.setattr(tracker.Tracker, "submit", with_signal)
        assert workdir.segment(video=path) == 130
    assert workdir.segment(video=path) == 0
    assert (workdir.out / "overlay.mp4").read_bytes() == (whole / "overlay.mp4").read_bytes()


def test_a_trimmed_clip_is_segmented_from_where_it_is_shown(workdir, capsys):
    film = write_film(workdir.root / "a.mp4", list(FRAMES), options={"g": "100"})
    path = copy_packets(film, workdir.root / "v.mp4", start=4 * 512)
    assert workdir.segment(video=str(path)) == 0
    assert len(masks_of(workdir.out)) == 6 and not capsys.readouterr().err


def test_notes_of_a_folder_come_when_all_is_checked(workdir, capsys):
    folder = workdir.root / "frames"
    (folder / "notes.txt").write_text("no frame")
    os.rename(folder / "00009.png", folder / "00012.png")
    assert workdir.segment() == 0
    lines = capsys.readouterr().err.splitlines()
    assert [
        "1 file(s) without the ending of an image left out: notes.txt" in lines[0],
        len(lines),
    ] == [True, 2]
    assert "leave out 3 (8 to 12)" in lines[1]
    assert len(record_of(workdir.out)["notes"]) == 2
    assert workdir.segment("--config.mem_every=7") == 2, "settings of another run"
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert workdir.segment(masks="nothing.png") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_twelve_bits_are_segmented_as_eight(workdir):
    folder = workdir.root / "deep"
    folder.mkdir()
    for index, frame in enumerate(FRAMES):
        cv2.imwrite(str(folder / f"{index:05d}.png"), frame[..., ::-1].astype(np.uint16) * 16)
    assert workdir.segment(video=str(folder)) == 0
    deep = masks_of(workdir.out)
    assert workdir.segment(out=workdir.root / "plain") == 0
    np.testing.assert_array_equal(deep, masks_of(workdir.root / "plain"))


def reused(arrays):
    """Arrays that are all in one and the same memory."""
    buffer = np.empty_like(arrays[0])
    for array in arrays:
        buffer[...] = array
        yield buffer


def test_the_memory_of_frames_may_be_used_again(workdir):
    model = vosjax.load(workdir.weights, mem_every=2)
    expected = [result.labels for result in vosjax.segment(FRAMES, LABELS[0], model=model)]
    results = vosjax.segment(reused(FRAMES), LABELS[0], model=model)
    np.testing.assert_array_equal([result.labels for result in results], expected)


@pytest.mark.parametrize("form", [lambda mask: mask, lambda mask: {0: mask}])
def test_the_memory_of_masks_may_be_used_again(workdir, form):
    model = vosjax.load(workdir.weights, mem_every=2)
    expected = [result.labels for result in vosjax.segment(FRAMES, LABELS[0], model=model)]
    mask = LABELS[0].copy()
    results = vosjax.segment(FRAMES, form(mask), model=model)
    mask[...] = 0
    np.testing.assert_array_equal([result.labels for result in results], expected)


def test_a_tracker_keeps_nothing_of_its_callers(workdir):
    model = vosjax.load(workdir.weights, mem_every=2)
    plain, thrifty = (vosjax.Tracker(model, objects=2, capacity=5) for _ in range(2))
    mask = LABELS[0].copy()
    expected = [
        plain.step(frame, LABELS[0] if index == 0 else None).labels
        for index, frame in enumerate(FRAMES)
    ]
    fetches = []
    for index, frame in enumerate(reused(FRAMES)):
        fetches.append(thrifty.submit(frame, mask if index == 0 else None))
        mask[...] = 7
    np.testing.assert_array_equal([fetch().labels for fetch in fetches], expected)
    added = vosjax.Tracker(model, objects=2, capacity=5)
    mask = LABELS[0].copy()
    added.add(mask)
    mask[...] = 7
    np.testing.assert_array_equal(added.step(FRAMES[0]).labels, expected[0])


def test_what_cannot_be_used_is_said_by_the_call(workdir):
    model = vosjax.load(workdir.weights)
    with pytest.raises(InputError, match="there is no video at"):
        vosjax.segment("nowhere.mp4", LABELS[0], model=model)
    with pytest.raises(InputError, match="there is no camera -1"):
        vosjax.segment(-1, LABELS[0], model=model)


class FrozenCamera:
    """Gives five frames and then nothing."""

    wake = threading.Event()

    def __init__(self, source):
        self.frames = iter(FRAMES[:5])

    def isOpened(self):
        return True

    def get(self, prop):
        return 25.0

    def read(self):
        for frame in self.frames:
            return True, frame[..., ::-1]
        self.wake.wait(60)
        return False, None

    def release(self):
        pass


def test_ctrl_c_works_the_first_time_while_a_camera_is_frozen(workdir, monkeypatch, capsys):
    monkeypatch.setattr(cv2, "VideoCapture", FrozenCamera)
    monkeypatch.chdir(workdir.root)
    begun = threading.Event()
    submit = tracker.Tracker.submit

    def noted(self, frame, labels=None):
        if self.time == 4:
            begun.set()
        return submit(self, frame, labels)

    def interrupt():
        begun.wait(60)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(tracker.Tracker, "submit", noted)
    threading.Thread(target=interrupt, daemon=True).start()
    begin = time.monotonic()
    assert workdir.segment(video="0") == 130
    assert time.monotonic() - begin < 50
    assert "stopped after 5 frames" in capsys.readouterr().out
    assert len(masks_of(workdir.out)) == 5 and len(times_of(workdir.out / "overlay.mp4")) == 5
    assert record_of(workdir.out)["status"] == "interrupted"
    FrozenCamera.wake.set()


@pytest.mark.parametrize("number", ["-1", "99999999999999"])
def test_a_camera_that_cannot_be_is_one_line(workdir, number, capsys, monkeypatch):
    monkeypatch.chdir(workdir.root)
    assert (
        workdir.run(
            *("--config", workdir.config, f"--video={number}", "--masks", workdir.mask),
            *("--output", workdir.out),
        )
        == 2
    )
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is no" in line


def test_a_password_is_not_kept(workdir):
    write_film(workdir.root / "v.mp4", list(FRAMES))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=workdir.root)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://me:secret@127.0.0.1:{server.server_port}/v.mp4"
        assert workdir.segment(video=address) == 0
    finally:
        server.shutdown()
        server.server_close()
    assert len(masks_of(workdir.out)) == 10
    text = (workdir.out / "run.json").read_text()
    assert "secret" not in text and "http://me:***@127.0.0.1" in text


def test_names_that_are_no_utf8(workdir):
    folder = workdir.root / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for index, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(folder / os.fsdecode(b"caf\xe9%d.png" % index))
    assert workdir.segment(video=str(folder)) == 0
    rows = list(csv.DictReader((workdir.out / "scores.csv").open(encoding="utf-8")))
    assert rows[0]["name"] == r"caf\udce90" and len(masks_of(workdir.out)) == 10
    assert record_of(workdir.out)["settings"]["video"].endswith(r"caf\udce9")


def test_frames_of_mixed_kinds(workdir):
    folder = workdir.root / "mixed"
    folder.mkdir()
    for index, frame in enumerate(FRAMES):
        ending = ("png", "tif", "bmp", "webp")[index % 4]
        extra = {"lossless": True} if ending == "webp" else {}
        Image.fromarray(frame).save(folder / f"{index:05d}.{ending}", **extra)
    assert workdir.segment(video=str(folder)) == 0
    mixed = masks_of(workdir.out)
    assert workdir.segment(out=workdir.root / "plain") == 0
    np.testing.assert_array_equal(mixed, masks_of(workdir.root / "plain"))
