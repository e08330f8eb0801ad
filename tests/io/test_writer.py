"""The overlay video: any rate, any name, its own times, and always a file that plays."""

import os
import pathlib
import re
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest

from vosjax.errors import DiskFull, InputError
from vosjax.io import refusals, writer
from vosjax.io.video import open_video
from vosjax.io.writer import OverlayWriter


def plain(level, size=(32, 48)):
    return np.full((*size, 3), (level, 60, 60), np.uint8)


@pytest.fixture(params=["pyav", "opencv"])
def either(request, monkeypatch):
    """With PyAV, and as on a machine that lacks it."""
    if request.param == "opencv":
        monkeypatch.setitem(sys.modules, "av", None)
    return request.param


def facts(path):
    """(codec, pixel format, frames per second, times) of a video."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        times = [
            float(packet.pts * packet.time_base) for packet in film.demux(stream) if packet.size
        ]
        return stream.codec_context.name, stream.pix_fmt, float(stream.average_rate), times


@pytest.mark.parametrize("size", [(32, 48), (31, 47), (1, 1), (2, 301)])
def test_the_overlay_plays_with_all_its_frames(tmp_path, size, either):
    path = tmp_path / "overlay.mp4"
    with OverlayWriter(path, fps=12.5, size=size) as video:
        for level in (40, 120, 200):
            video.write(plain(level, size))
        assert not path.exists()
    film = open_video(path)
    frames = list(film.frames())
    assert film.fps == 12.5 and len(frames) == 3
    assert frames[0].shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    np.testing.assert_allclose(frames[2].mean((0, 1)), (200, 60, 60), atol=8)
    assert os.listdir(tmp_path) == ["overlay.mp4"]


def test_browsers_can_play_the_overlay(tmp_path):
    path = tmp_path / "overlay.mp4"
    with OverlayWriter(path, fps=25, size=(32, 48)) as video:
        video.write(plain(40))
    assert facts(path)[:2] == ("h264", "yuv420p")
    data = path.read_bytes()
    assert data[4:8] == b"ftyp" and data.index(b"moov") < data.index(b"mdat"), "the index is first"


def test_without_pyav_the_overlay_is_mpeg_4(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        with OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 48)) as video:
            video.write(plain(40))
    assert facts(tmp_path / "overlay.mp4")[0] == "mpeg4"


def test_colours_of_the_overlay_are_told_to_players(tmp_path):
    path = tmp_path / "overlay.mp4"
    with OverlayWriter(path, fps=25, size=(32, 48)) as video:
        video.write(plain(200))
    with av.open(str(path)) as film:
        context = film.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (6, 1), "SMPTE 170M, limited"


RATES = [25, 105611 / 500, 211.222, 1000 / 1001, 30000 / 1001, 24000 / 1001, 240, 960, 7.3, 1000]


@pytest.mark.parametrize("fps", [*RATES, 0.001, 0.0001, 1e6, 12345.678])
def test_the_overlay_holds_any_rate(tmp_path, fps):
    path = tmp_path / "overlay.mp4"
    with OverlayWriter(path, fps=fps, size=(32, 48)) as video:
        for level in range(8):
            video.write(plain(20 * level))
    _, _, rate, times = facts(path)
    assert abs(rate / fps - 1) < 0.005
    np.testing.assert_allclose(times, np.arange(8) / fps, rtol=0.005, atol=1e-4)
    assert open_video(path).fps == pytest.approx(fps, rel=0.005)


@pytest.mark.parametrize("fps", RATES)
def test_mpeg_4_holds_rates_of_cameras(tmp_path, monkeypatch, fps):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        with OverlayWriter(tmp_path / "overlay.mp4", fps=fps, size=(32, 48)) as video:
            for level in range(8):
                video.write(plain(20 * level))
    assert abs(facts(tmp_path / "overlay.mp4")[2] / fps - 1) < 0.005


@pytest.mark.parametrize("fps", [0.001, 1e-6, 1e6, 70000.5])
def test_mpeg_4_is_written_at_the_nearest_rate_it_has(tmp_path, monkeypatch, fps):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        with OverlayWriter(tmp_path / "overlay.mp4", fps=fps, size=(32, 48)) as video:
            video.write(plain(20))
    assert len(list(open_video(tmp_path / "overlay.mp4").frames())) == 1


def test_every_frame_has_its_own_time(tmp_path):
    path = tmp_path / "overlay.mp4"
    times = [0, 0.04, 0.08, 1.0, 2.5, 2.5, 2.6]
    with OverlayWriter(path, fps=25, size=(32, 48)) as video:
        for time in times:
            video.write(plain(90), time)
    written = facts(path)[3]
    np.testing.assert_allclose(written, times, atol=1e-3)
    assert all(a < b for a, b in zip(written, written[1:]))


@pytest.mark.parametrize("name", ["run:1/overlay.mp4", "a%d/film%03d.mp4", "-o.mp4", "http:x.mp4"])
def test_any_name_takes_an_overlay(tmp_path, monkeypatch, name, either):
    monkeypatch.chdir(tmp_path)
    with OverlayWriter(name, fps=25, size=(32, 48)) as video:
        video.write(plain(90))
    assert len(list(open_video(name).frames())) == 1


def test_a_name_that_is_no_utf8_takes_an_overlay(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9") / "overlay.mp4"
    with OverlayWriter(path, fps=25, size=(32, 48)) as video:
        video.write(plain(90))
    assert len(list(open_video(path).frames())) == 1


def test_an_interrupted_overlay_plays(tmp_path, either):
    with pytest.raises(KeyboardInterrupt):
        with OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32)) as video:
            video.write(np.zeros((32, 32, 3), np.uint8))
            raise KeyboardInterrupt
    assert len(list(open_video(tmp_path / "overlay.mp4").frames())) == 1


def test_a_discarded_overlay_leaves_nothing(tmp_path, either):
    video = OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32))
    video.write(np.zeros((32, 32, 3), np.uint8))
    video.discard()
    video.close()
    assert not os.listdir(tmp_path)


def test_an_overlay_is_the_same_each_time(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        with OverlayWriter(tmp_path / name, fps=25, size=(64, 96)) as video:
            for seed in range(30):
                noise = np.random.default_rng(seed).integers(0, 255, (64, 96, 3), np.uint8)
                video.write(noise, seed**2 / 25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_an_overlay_frame_of_another_size_is_refused(tmp_path):
    with OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32)) as video:
        with pytest.raises(ValueError, match=r"\[32, 32, 3\]"):
            video.write(np.zeros((32, 33, 3), np.uint8))


def test_a_missing_codec_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(cv2, "VideoWriter_fourcc", lambda *c: 0x7A7A7A7A)
    with pytest.raises(InputError, match="PyAV is not installed .*mp4v encoder does not open for"):
        OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32))
    assert not os.listdir(tmp_path)


def test_what_h264_does_not_take_is_left_to_mpeg_4_or_said(tmp_path):
    """Whatever is the reason, it is what an encoder said, and not a guess."""
    size = (2, 40000)
    try:
        with OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=size) as video:
            video.write(np.zeros((*size, 3), np.uint8))
        assert len(list(open_video(tmp_path / "overlay.mp4").frames())) == 1
    except InputError as error:
        assert "takes no 40000x2" in str(error) and "not installed" not in str(error)
        assert not os.listdir(tmp_path)


def test_a_folder_that_cannot_be_written_is_not_laid_to_a_codec(tmp_path, either):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="overlay.mp4 cannot be written") as error:
        OverlayWriter(tmp_path / "out" / "overlay.mp4", fps=25, size=(32, 32))
    assert "encoder" not in str(error.value)


def test_an_overlay_on_a_full_disk_stops(tmp_path, monkeypatch, either):
    with OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32)) as video:
        monkeypatch.setattr(
            refusals.shutil, "disk_usage", lambda path: type("Usage", (), {"free": writer.ROOM - 1})
        )
        with pytest.raises(DiskFull, match="overlay.mp4"):
            video.write(np.zeros((32, 32, 3), np.uint8))


LIMITED = """
import resource, sys
import numpy as np
from vosjax.errors import InputError
from vosjax.io.writer import OverlayWriter

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with OverlayWriter(sys.argv[1], fps=25, size=(128, 128)) as film:
        for seed in range(60):
            film.write(np.random.default_rng(seed).integers(0, 255, (128, 128, 3), np.uint8))
except InputError as error:
    print(error)
"""


def test_a_file_that_may_not_grow_is_said_and_nothing_is_left(tmp_path):
    """As on a disk that is full in spite of what it says: the encoder itself cannot write."""
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "overlay.mp4"],
        cwd=pathlib.Path(__file__).parents[2],
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert re.search(r"overlay .*overlay.mp4 cannot be written \(File too large\)", run.stdout)
    assert not os.listdir(tmp_path)
