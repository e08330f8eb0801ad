"""Overlays: what is tinted and outlined, and a film that always plays."""

import os

import cv2
import numpy as np
import pytest

from vosjax.errors import DiskFull, InputError
from vosjax.io import files
from vosjax.io.overlay import ENCODER_BYTES, OverlayWriter, overlay
from vosjax.io.palette import DAVIS
from vosjax.io.video import open_video


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
            files.shutil, "disk_usage", lambda path: type("Usage", (), {"free": ENCODER_BYTES - 1})
        )
        with pytest.raises(DiskFull, match="overlay.mp4"):
            video.write(np.zeros((32, 32, 3), np.uint8))
