"""Video files on a machine without PyAV: OpenCV gives frames, and notes as far as it can tell."""

import os
import sys

import numpy as np
import pytest
from support.films import numbers_of, overwrite, places, write_film

from vosjax.errors import InputError
from vosjax.io.video import open_video


@pytest.fixture
def made(tmp_path, monkeypatch):
    """made(name, ...): a video, written with PyAV and then read without it."""

    def write(name, *arguments, lost=(), **settings):
        path = write_film(tmp_path / name, *arguments, **settings)
        if lost:
            spans = places(path)
            overwrite(path, [spans[index] for index in lost])
        monkeypatch.setitem(sys.modules, "av", None)
        return path

    return write


def images(video):
    return [frame.image for frame in video.stream(0)]


@pytest.mark.parametrize("name, counted", [("v.mp4", True), ("v.avi", True), ("v.mkv", False)])
def test_frames_come_in_order_and_again(made, name, counted):
    codec = "mpeg4" if name == "v.avi" else "libx264"
    video = open_video(made(name, codec=codec))
    assert video.fps == 25 and video.count == (12 if counted else None) and video.length == 12
    assert numbers_of(images(video)) == list(range(12))
    assert numbers_of(frame.image for frame in video.stream(9)) == [9, 10, 11]
    assert [round(25 * frame.time) for frame in video.stream(9)] == [9, 10, 11]
    assert not video.notes


def test_pyav_and_opencv_give_the_same_frames(tmp_path, monkeypatch):
    path = write_film(tmp_path / "v.mp4", rotate=90)
    ours = images(open_video(path))
    monkeypatch.setitem(sys.modules, "av", None)
    np.testing.assert_array_equal(images(open_video(path)), ours)


def test_uneven_times_are_no_reason_for_an_alarm(made):
    video = open_video(made("v.mkv", 8, times=[0, 0.04, 0.08, 0.5, 1, 2, 3, 4]))
    assert len(images(video)) == 8 and not video.notes and video.count is None


@pytest.mark.parametrize("lost", [[5], [10], [3, 4, 8]])
def test_a_read_that_fails_is_not_the_end(made, lost):
    video = open_video(made("v.avi", codec="mjpeg", layout="yuvj420p", lost=lost))
    frames = list(video.stream(0))
    assert len(frames) == 12 and video.missing == lost
    assert [index for index, frame in enumerate(frames) if frame.missing] == lost
    kept = [index for index in range(12) if index not in lost]
    assert numbers_of(frames[index].image for index in kept) == kept
    assert "cannot be decoded" in video.notes[0]


def test_frames_that_lack_at_the_end_are_told(made):
    path = made("v.avi", codec="mjpeg", layout="yuvj420p")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = open_video(path)
    assert len(images(video)) < 12
    if video.count == 12:  # else this OpenCV counts the frames that are there
        assert "announces 12 frames, only" in video.notes[-1]


@pytest.mark.parametrize("name", ["take-12:30:05.mp4", "http:clip.mp4", "-y.mp4", "clip%d.mp4"])
def test_any_name_is_a_name(made, tmp_path, monkeypatch, name):
    made("plain.mp4", 3)
    monkeypatch.chdir(tmp_path)
    os.rename("plain.mp4", name)
    assert numbers_of(images(open_video(name))) == [0, 1, 2]


def test_a_name_that_opencv_cannot_take_says_what_to_do(made, tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    os.rename(made("plain.mp4", 3), tmp_path / name)
    with pytest.raises(InputError, match="rename it, or install PyAV"):
        open_video(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"hello" * 100])
def test_files_that_are_no_video_are_refused(tmp_path, monkeypatch, content, capfd):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(InputError, match="v.mp4 cannot be opened"):
        open_video(tmp_path / "v.mp4")
    assert capfd.readouterr().err == ""


def test_streams_need_pyav(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match="PyAV, which is not installed: pip install av"):
        open_video("rtsp://camera/stream")
