"""Files are whole or absent, scores resume where they stopped, full disks are put into words."""

import csv
import errno
import json
import os

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


@pytest.mark.parametrize("size", [(32, 48), (31, 47)])
def test_the_overlay_plays_with_all_its_frames(tmp_path, size):
    path = tmp_path / "overlay.mp4"
    with OverlayWriter(path, fps=12.5, size=size) as video:
        for level in (40, 120, 200):
            video.write(np.full((*size, 3), (level, 60, 60), np.uint8))
        assert not path.exists()
    found = open_video(path)
    frames = list(found.frames())
    assert found.fps == 12.5 and len(frames) == 3
    assert frames[0].shape == (32, 48, 3)
    np.testing.assert_allclose(frames[2].mean((0, 1)), (200, 60, 60), atol=8)
    assert os.listdir(tmp_path) == ["overlay.mp4"]


def test_an_interrupted_overlay_plays(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32)) as video:
            video.write(np.zeros((32, 32, 3), np.uint8))
            raise KeyboardInterrupt
    assert len(list(open_video(tmp_path / "overlay.mp4").frames())) == 1


def test_a_discarded_overlay_leaves_nothing(tmp_path):
    video = OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32))
    video.write(np.zeros((32, 32, 3), np.uint8))
    video.discard()
    video.close()
    assert not os.listdir(tmp_path)


def test_an_overlay_frame_of_another_size_is_refused(tmp_path):
    with OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32)) as video:
        with pytest.raises(ValueError, match=r"\[32, 32, 3\]"):
            video.write(np.zeros((32, 33, 3), np.uint8))


def test_a_missing_codec_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoWriter_fourcc", lambda *c: 0x7A7A7A7A)
    with pytest.raises(InputError, match="mp4v encoder"):
        OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32))
    assert not os.listdir(tmp_path)


def test_an_overlay_on_a_full_disk_stops(tmp_path, monkeypatch):
    with OverlayWriter(tmp_path / "overlay.mp4", fps=25, size=(32, 32)) as video:
        monkeypatch.setattr(
            files.shutil, "disk_usage", lambda path: type("Usage", (), {"free": writer._ROOM - 1})
        )
        with pytest.raises(DiskFull, match="overlay.mp4"):
            video.write(np.zeros((32, 32, 3), np.uint8))
