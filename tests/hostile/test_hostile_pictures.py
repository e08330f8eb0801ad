"""Pictures that claim too much, wait for ever or are none, in every room that reads them."""

import os
import socket
import struct
import zlib

import cv2
import numpy as np
import pytest
from support import results_folder
from support.clips import clip
from support.command import write_frames

from data_prep import records, report
from vosjax.datasets import decode, layout
from vosjax.errors import InputError
from vosjax.eval import rules, videos
from vosjax.io.masks import read_masks
from vosjax.io.palette import decode_labels, write_label_png
from vosjax.io.video import open_video, read_image

FRAMES, LABELS = clip(frames=4, height=48, width=64, objects=2)


def bomb(width, height):
    """A PNG of one bit a pixel, all of it black."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def large():
    return bomb(13000, 13000)


@pytest.fixture
def frames(tmp_path):
    return tmp_path / "frames", write_frames(tmp_path / "frames", FRAMES)


class Decoded(Exception):
    """A picture was decoded though its header says enough."""


@pytest.fixture
def undecoded(monkeypatch):
    """Decoding a picture of many pixels is an error."""
    from PIL import Image, ImageFile

    load = ImageFile.ImageFile.load

    def checked(self):
        if self.size[0] * self.size[1] > 10**7:
            raise Decoded
        return load(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", checked)
    assert Image.open


def test_the_size_of_a_frame_is_compared_before_it_is_decoded(frames, large, undecoded):
    folder, name = frames
    (folder / "00003.png").write_bytes(large)
    with pytest.raises(InputError, match="13000x13000"):
        list(open_video(name).stream(0))


def test_a_first_frame_of_monstrous_size(frames, large, undecoded):
    folder, name = frames
    (folder / "00000.png").write_bytes(large)
    with pytest.raises(InputError, match="claims 13000x13000 pixels"):
        open_video(name)


@pytest.mark.parametrize("read", [decode.labels, decode.mask, decode.wide_labels, decode.image,
                                  decode.frame, decode.size])  # fmt: skip
def test_a_datasets_picture_of_monstrous_size(read, large, undecoded):
    with pytest.raises(InputError, match="cow claims 13000x13000"):
        read(large, name="cow")


def test_an_image_file_of_monstrous_size(tmp_path, large, undecoded):
    (tmp_path / "x.png").write_bytes(large)
    with pytest.raises(InputError, match="13000x13000"):
        read_image(tmp_path / "x.png")


def test_a_mask_of_monstrous_size(tmp_path, large, undecoded):
    (tmp_path / "x.png").write_bytes(large)
    with pytest.raises(InputError, match="is 13000x13000, the video is 64x48"):
        read_masks(str(tmp_path / "x.png"), size=(48, 64))


def pipe(path):
    os.mkfifo(path)


def folder(path):
    os.mkdir(path)


def unix_socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # names of sockets have room for 100 letters
    socket.socket(socket.AF_UNIX).bind(path.name)
    os.chdir(here)


@pytest.mark.parametrize("make", [pipe, folder, unix_socket])
@pytest.mark.parametrize("part", ["JPEGImages", "Annotations"])
def test_a_datasets_file_that_is_no_file(part, make, tmp_path):
    data = results_folder.dataset(tmp_path / "davis", (("cow", 4),))
    (path,) = (data / part / "cow").glob("00002.*")
    path.unlink()
    make(path)
    (cow,) = videos.discover(data)
    with pytest.raises(InputError, match="00002.*is no file but"):
        videos.read_frame(cow, 2) if part == "JPEGImages" else videos.read_labels(cow, 2)


@pytest.mark.parametrize("make", [pipe, folder, unix_socket])
def test_a_mask_that_is_no_file(make, tmp_path):
    make(tmp_path / "x.png")
    with pytest.raises(InputError):
        read_masks(str(tmp_path / "x.png"), size=(48, 64))


@pytest.mark.parametrize("make", [pipe, unix_socket])
def test_a_frame_that_is_no_file(make, frames):
    folder, name = frames
    (folder / "00002.png").unlink()
    make(folder / "00002.png")
    with pytest.raises(InputError, match="00002.png is no file"):
        open_video(name)


def test_a_meta_json_that_is_a_pipe(tmp_path):
    data = results_folder.dataset(tmp_path / "davis", (("cow", 4),))
    os.mkfifo(data / "meta.json")
    with pytest.raises(InputError, match="meta.json is no file but a pipe"):
        layout.read_meta(data)


def test_a_mask_that_was_stored_with_loss_is_no_label_map():
    data = cv2.imencode(".jpg", 255 * (LABELS[0] > 0).astype(np.uint8))[1].tobytes()
    with pytest.raises(InputError, match="stored with loss"):
        decode.labels(data, name="cow.png")


def test_what_opencv_cannot_decode_is_refused_by_name():
    data = bytearray(cv2.imencode(".png", FRAMES[0])[1].tobytes())
    data[16:24] = struct.pack(">II", 2**20, 100)
    with pytest.raises(InputError, match="^cow"):
        decode.image(bytes(data), name="cow")


@pytest.mark.parametrize("part", ["JPEGImages", "Annotations"])
def test_a_folder_that_is_called_as_a_picture_is_left_out_when_preparing(part, tmp_path):
    data = results_folder.dataset(tmp_path / "davis", (("cow", 4),))
    (path,) = (data / part / "cow").glob("00002.*")
    path.unlink()
    path.mkdir()
    files = layout.video_files("cow", data / "JPEGImages/cow", data / "Annotations/cow")
    notes = report.Notes()
    stored = list(records.video(files, notes, fps=24.0))
    kind = report.DAMAGED if part == "JPEGImages" else report.DAMAGED_MASK
    assert notes.pairs == [(kind, "cow/00002")]
    assert sum(record["frames"] for record in stored[:1]) == (3 if part == "JPEGImages" else 4)


BLACK_WHITE = 255 * (LABELS > 0).astype(np.uint8)


def test_black_and_white_is_one_object_in_every_room(tmp_path):
    """0 and 255 alone are object 1: of a user, in training, in evaluation, of all years."""
    data = results_folder.dataset(tmp_path / "davis", (("cow", 4),))
    for t, labels in enumerate(BLACK_WHITE):
        write_label_png(data / f"Annotations/cow/{t:05d}.png", labels)
    stored = (data / "Annotations/cow/00001.png").read_bytes()
    expected = BLACK_WHITE[1] > 0
    assert np.array_equal(decode.mask(stored), expected)
    assert np.array_equal(decode_labels(stored, void=255), expected)
    for year in (2016, 2017):
        (cow,) = videos.discover(data, year=year)
        assert cow.starts == {1: 0} and cow.binary
        assert np.array_equal(videos.read_given(cow, 0, year=year), BLACK_WHITE[0] > 0)
        assert np.array_equal(videos.read_labels(cow, 1) > 0, expected)
    assert videos.read_labels(videos.discover(data)[0], 1).max() == 1


def test_void_alone_stays_void_where_the_first_mask_has_ids(tmp_path):
    data = results_folder.dataset(tmp_path / "davis", (("cow", 4),))
    write_label_png(data / "Annotations/cow/00002.png", BLACK_WHITE[2])
    (cow,) = videos.discover(data)
    assert cow.starts == {1: 0, 2: 0} and not cow.binary
    assert videos.read_labels(cow, 2).max() == 255
    assert rules.davis(cow.source.header(0)).binary is False
