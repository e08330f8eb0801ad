"""Files are whole or absent, scores resume where they stopped, full disks are put into words."""

import csv
import errno
import json
import os
import pathlib
import re
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from vosjax.errors import DiskFull, InputError
from vosjax.io import files, writer
from vosjax.io.files import atomic, disk_full, write_json
from vosjax.io.palette import DAVIS, overlay, read_label_png, write_label_png
from vosjax.io.video import open_video
from vosjax.io.writer import ObjectScore, OverlayWriter, ScoreWriter, masks_done

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


def test_the_davis_palette_starts_as_published():
    assert DAVIS[:8].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
        [0, 128, 128],
        [128, 128, 128],
    ]
    assert DAVIS[255].tolist() == [224, 224, 192]
    assert len({tuple(c) for c in DAVIS.tolist()}) == 256


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
@settings(max_examples=50, deadline=None)
def test_label_maps_come_back_exactly(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("png") / "x.png"
    write_label_png(path, labels)
    np.testing.assert_array_equal(read_label_png(path), labels)


def test_label_maps_show_their_palette(tmp_path):
    from PIL import Image

    labels = np.array([[0, 1], [2, 255]], np.uint8)
    write_label_png(tmp_path / "x.png", labels)
    np.testing.assert_array_equal(Image.open(tmp_path / "x.png").convert("RGB"), DAVIS[labels])


@pytest.mark.parametrize(
    "labels", [np.zeros((2, 2)), np.zeros((2, 2), np.uint16), np.zeros((2, 2, 1), np.uint8)]
)
def test_label_maps_of_another_type_are_refused(tmp_path, labels):
    with pytest.raises(ValueError, match="uint8"):
        write_label_png(tmp_path / "x.png", labels)


def test_a_damaged_label_map_is_refused(tmp_path):
    write_label_png(tmp_path / "x.png", np.zeros((50, 50), np.uint8))
    (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:60])
    with pytest.raises(InputError, match="x.png"):
        read_label_png(tmp_path / "x.png")
    with pytest.raises(InputError, match="missing"):
        read_label_png(tmp_path / "y.png")


def test_overlay_leaves_the_background_and_outlines_objects():
    frame = np.full((20, 20, 3), 100, np.uint8)
    labels = np.zeros((20, 20), np.uint8)
    labels[5:15, 5:15] = 1
    shown = overlay(frame, labels, alpha=0.5)
    assert (shown[labels == 0] == 100).all()
    assert shown[5, 5].tolist() == [128, 0, 0]
    assert shown[10, 10].tolist() == [114, 50, 50]
    assert (frame == 100).all()


def test_overlay_draws_a_line_between_touching_objects():
    labels = np.repeat(np.uint8([[1] * 5 + [2] * 5]), 10, axis=0)
    shown = overlay(np.zeros((10, 10, 3), np.uint8), labels, alpha=0.2)
    assert shown[5, 4].tolist() == [128, 0, 0] and shown[5, 5].tolist() == [0, 128, 0]
    assert shown[5, 1].tolist() == [26, 0, 0]


def test_overlay_takes_ids_of_any_size():
    labels = np.full((4, 4), 300, np.uint16)
    shown = overlay(np.zeros((4, 4, 3), np.uint8), labels, alpha=1)
    assert shown[0, 0].tolist() == DAVIS[44].tolist()
    with pytest.raises(ValueError, match="differ in size"):
        overlay(np.zeros((4, 5, 3), np.uint8), labels)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write_json(tmp_path / "a.json", {"ä": 1})
    with pytest.raises(RuntimeError):
        with atomic(tmp_path / "a.json") as temp:
            temp.write_text("half")
            raise RuntimeError
    assert json.loads((tmp_path / "a.json").read_text()) == {"ä": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_folders_are_made(tmp_path):
    write_json(tmp_path / "new" / "deep" / "a.json", [])
    assert (tmp_path / "new" / "deep" / "a.json").exists()


def test_a_file_in_the_folders_place_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_json(tmp_path / "out" / "a.json", [])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_put_into_words(code):
    with pytest.raises(DiskFull, match="disk full while writing x.png.*complete up to frame 7"):
        with disk_full("masks", frame=7), disk_full("x.png"):
            raise OSError(code, "full")


def test_other_errors_of_the_system_pass():
    with pytest.raises(PermissionError), disk_full("x"):
        raise PermissionError(errno.EACCES, "no")


def test_a_mask_on_a_full_disk_is_absent_not_half(tmp_path, monkeypatch):
    def full(*args):
        raise NO_SPACE

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(DiskFull, match="00003.png"):
        write_label_png(tmp_path / "00003.png", np.zeros((4, 4), np.uint8))
    assert not os.listdir(tmp_path)


def rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def scores(*ids):
    return [ObjectScore(i, 0.91234, 0.5, 12, False) for i in ids]


def test_scores_are_written_a_frame_at_a_time(tmp_path):
    table = ScoreWriter(tmp_path / "scores.csv")
    table.write(0, "a", scores(3, 7))
    table.write(1, 'b,"c"', [ObjectScore(3, 0.0, 0.0, 0, True)])
    assert rows(tmp_path / "scores.csv") == [  # while the table is still open
        ["frame", "name", "object", "mean_probability", "margin", "area", "absent"],
        ["0", "a", "3", "0.9123", "0.5000", "12", "0"],
        ["0", "a", "7", "0.9123", "0.5000", "12", "0"],
        ["1", 'b,"c"', "3", "0.0000", "0.0000", "0", "1"],
    ]
    table.close()


def test_scores_resume_after_the_last_complete_frame(tmp_path):
    path = tmp_path / "scores.csv"
    with ScoreWriter(path) as table:
        for frame in range(5):
            table.write(frame, f"f{frame}", scores(1, 2))
    whole = path.read_bytes()
    path.write_bytes(whole[:-15])  # killed in the middle of a row
    with ScoreWriter(path, resume=3) as table:
        for frame in range(3, 5):
            table.write(frame, f"f{frame}", scores(1, 2))
    assert path.read_bytes() == whole


def test_scores_start_anew_without_resume(tmp_path):
    for _ in range(2):
        with ScoreWriter(tmp_path / "scores.csv") as table:
            table.write(0, "a", scores(1))
    assert len(rows(tmp_path / "scores.csv")) == 2


def test_scores_resume_without_an_old_table(tmp_path):
    with ScoreWriter(tmp_path / "scores.csv", resume=4) as table:
        table.write(4, "a", scores(1))
    assert [row[0] for row in rows(tmp_path / "scores.csv")] == ["frame", "4"]


def test_another_table_is_not_overwritten_by_a_resume(tmp_path):
    (tmp_path / "scores.csv").write_text("my,own,table\n1,2,3\n")
    with pytest.raises(InputError, match="no table of scores"):
        ScoreWriter(tmp_path / "scores.csv", resume=1)
    assert (tmp_path / "scores.csv").read_text() == "my,own,table\n1,2,3\n"


class FullFile:
    """A file on a disk that has room for five more bytes."""

    def __init__(self, file):
        self.file, self.room = file, 5

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        if not self.room:
            raise NO_SPACE
        n, self.room = self.file.write(data[: self.room]), 0
        return n


def test_scores_on_a_full_disk_keep_whole_frames(tmp_path):
    path = tmp_path / "scores.csv"
    with ScoreWriter(path) as table:
        table.write(0, "a", scores(1, 2))
        whole = path.read_bytes()
        table._file = FullFile(table._file)
        with pytest.raises(DiskFull, match="scores.csv.*complete up to frame 0"):
            table.write(1, "b", scores(1, 2))
    assert path.read_bytes() == whole


def test_a_full_disk_at_the_first_frame_says_so(tmp_path):
    with ScoreWriter(tmp_path / "scores.csv") as table:
        table._file = FullFile(table._file)
        with pytest.raises(DiskFull, match="no frame is complete"):
            table.write(0, "a", scores(1))


def test_masks_done_counts_without_gaps(tmp_path):
    assert masks_done(tmp_path / "missing") == 0
    for frame in (0, 1, 3):
        write_label_png(tmp_path / f"{frame:05d}.png", np.zeros((2, 2), np.uint8))
    assert masks_done(tmp_path) == 2


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
    found = open_video(path)
    frames = list(found.frames())
    assert found.fps == 12.5 and len(frames) == 3
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
            files.shutil, "disk_usage", lambda path: type("Usage", (), {"free": writer.ROOM - 1})
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
