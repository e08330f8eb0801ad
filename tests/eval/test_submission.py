"""The server zips: their byte layout, and what is refused before anything is written."""

import hashlib
import zipfile

import numpy as np
import pytest
from PIL import Image

from vosjax.datasets.folders import Folder
from vosjax.errors import InputError
from vosjax.eval import submission
from vosjax.eval.videos import EvalVideo
from vosjax.io.palette import write_label_png

SIZE = (10, 14)


def make_sequence(root, name, count, *, written=None):
    frames = []
    for i in range(count):
        frame = root / "frames" / "JPEGImages" / name / f"{i:05d}.jpg"
        frame.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(frame)
        frames.append(frame.stem)
        mask = np.zeros(SIZE, np.uint8)
        mask[i : i + 3, 2:9] = 1 + i % 2
        write_label_png(root / "masks" / name / f"{i:05d}.png", mask)
    every = tuple(range(count))
    source = Folder(str(root / "frames"), (name,))
    return EvalVideo(name, tuple(frames), {1: 0, 2: 0}, (), None, written or every, source, 0)


@pytest.fixture
def masks(tmp_path):
    sequences = [make_sequence(tmp_path, "dog", 2), make_sequence(tmp_path, "cow", 3)]
    return tmp_path / "masks", sequences


def test_davis_zip_layout(tmp_path, masks):
    submission.davis_zip(tmp_path / "out.zip", *masks)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == [
            "cow/00000.png",
            "cow/00001.png",
            "cow/00002.png",
            "dog/00000.png",
            "dog/00001.png",
        ]
        assert archive.read("dog/00001.png") == (masks[0] / "dog/00001.png").read_bytes()


def test_youtube_zip_layout(tmp_path, masks):
    submission.youtube_zip(tmp_path / "out.zip", *masks)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist()[:2] == ["Annotations/cow/00000.png", "Annotations/cow/00001.png"]


def test_zip_bytes(tmp_path):
    """One entry, field by field as the zip format has it: nothing depends on clock or machine."""
    sequence = make_sequence(tmp_path, "cow", 1)
    submission.davis_zip(tmp_path / "out.zip", tmp_path / "masks", [sequence])
    packed = (tmp_path / "out.zip").read_bytes()
    png = (tmp_path / "masks/cow/00000.png").read_bytes()
    name, crc = b"cow/00000.png", zipfile.crc32(png).to_bytes(4, "little")
    size = len(png).to_bytes(4, "little")
    shared = (
        b"\x14\x00"
        + b"\x00\x00"
        + b"\x00\x00"  # version 2.0, no flags, stored
        + b"\x00\x00"
        + b"\x21\x00"
        + crc
        + size
        + size  # 1980-01-01 00:00
        + len(name).to_bytes(2, "little")
        + b"\x00\x00"
    )
    local = b"PK\x03\x04" + shared + name + png
    central = (
        b"PK\x01\x02"
        + b"\x14\x03"
        + shared
        + b"\x00\x00"
        + b"\x00\x00"
        + b"\x00\x00"
        + b"\x00\x00\xa4\x81"
        + b"\x00\x00\x00\x00"
        + name
    )  # -rw-r--r--, at offset 0
    end = (
        b"PK\x05\x06"
        + b"\x00" * 4
        + b"\x01\x00" * 2
        + len(central).to_bytes(4, "little")
        + len(local).to_bytes(4, "little")
        + b"\x00\x00"
    )
    assert packed == local + central + end


def test_order_and_time_change_no_byte(tmp_path, masks):
    digests = set()
    for i, sequences in enumerate((masks[1], masks[1][::-1])):
        submission.davis_zip(tmp_path / f"{i}.zip", masks[0], sequences)
        digests.add(hashlib.sha256((tmp_path / f"{i}.zip").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_all_frames_runs_submit_the_sparse_frames(tmp_path):
    sequence = make_sequence(tmp_path, "cow", 5, written=(0, 4))
    submission.youtube_zip(tmp_path / "out.zip", tmp_path / "masks", [sequence])
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["Annotations/cow/00000.png", "Annotations/cow/00004.png"]


def spoil_missing(file):
    file.unlink()


def spoil_grey(file):
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(file)


def spoil_size(file):
    write_label_png(file, np.zeros((5, 7), np.uint8))


def spoil_id(file):
    write_label_png(file, np.full(SIZE, 7, np.uint8))


def spoil_bytes(file):
    file.write_bytes(file.read_bytes()[:50])


@pytest.mark.parametrize(
    "spoil,message",
    [
        (spoil_missing, "dog has no mask"),
        (spoil_grey, "00001.png is a grey image: the server wants palette PNGs"),
        (spoil_size, "7 x 5 pixels.* 14 x 10"),
        (spoil_id, r"ids \[7\].* objects \[1, 2\]"),
        (spoil_bytes, "damaged"),
    ],
)
def test_a_bad_mask_stops_the_zip(tmp_path, masks, spoil, message):
    spoil(masks[0] / "dog" / "00001.png")
    with pytest.raises(InputError, match=message):
        submission.davis_zip(tmp_path / "zips" / "out.zip", *masks)
    assert list((tmp_path / "zips").iterdir()) == []


def test_nothing_to_submit_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no sequence"):
        submission.davis_zip(tmp_path / "out.zip", tmp_path, [])
