"""Which frame a mask is for, and the sentences that say what was read."""

import os

import numpy as np
import pytest

from vosjax.errors import InputError
from vosjax.io.masks import read_masks
from vosjax.io.palette import write_label_png

SIZE = (40, 60)
FROM_ONE = tuple(f"{i:05d}" for i in range(1, 6))
FROM_ZERO = tuple(f"{i:05d}" for i in range(5))
WORDS = ("left", "middle", "right")


def squares(*ids):
    labels = np.zeros(SIZE, np.uint8)
    for i, value in enumerate(ids):
        labels[2 + 12 * (i // 4) :, 2 + 14 * (i % 4) :][:9, :9] = value
    return labels


@pytest.fixture
def mask(tmp_path):
    """mask(name, *ids) -> the path of a palette PNG."""

    def write(name, *ids):
        write_label_png(tmp_path / name, squares(*ids or (1,)))
        return tmp_path / name

    return write


# Names and numbers


@pytest.mark.parametrize(
    "frame, names, index, doubt",
    [
        ("2", FROM_ONE, 1, "2 means the frame named 00002, counted from 0 it is frame 1; the one "),
        ("00002", FROM_ONE, 1, None),
        ("5", FROM_ONE, 4, None),  # there is no frame of index 5
        ("2", FROM_ZERO, 2, None),  # name and index agree
        ("0", FROM_ONE, 0, "no frame is named 0, so it means frame 0 counted from 0, which is 000"),
        ("2", WORDS, 2, "no frame is named 2, so it means frame 2 counted from 0, which is right"),
        ("right", WORDS, 2, None),
        ("2", None, 2, None),
        ("1", ("3", "2", "1"), 2, "1 means the frame named 1, counted from 0 it is frame 2"),
        ("cafe\u0301", ("caf\u00e9", "b"), 0, None),  # composed in the name, not in the word
    ],
)
def test_names_win_over_indices_and_doubt_is_said(mask, frame, names, index, doubt):
    masks = read_masks(f"{frame}={mask('m.png')}", names)
    assert list(masks.labels) == [index]
    assert [d for d in masks.doubts if doubt and d.startswith(doubt)] == list(masks.doubts)
    assert bool(masks.doubts) == (doubt is not None)


def test_an_index_in_a_dict_is_an_index_and_a_text_may_be_a_name(mask):
    assert list(read_masks({2: mask("m.png")}, FROM_ONE).labels) == [2]
    assert list(read_masks({"2": mask("m.png")}, FROM_ONE).labels) == [1]
    assert list(read_masks({np.int64(2): mask("m.png")}, FROM_ONE).labels) == [2]


@pytest.mark.parametrize("frame", [True, 1.0, None, (1,), "1.0", "", "9" * 5000, "-1", -1, 7])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(InputError, match="its number, 0 to 4 is expected"):
        read_masks({frame: squares(1)}, FROM_ONE)


def test_names_that_hold_an_equals_sign(mask):
    names = ("t=0.5", "t=1.25")
    assert list(read_masks(f"t=1.25={mask('m.png')}", names).labels) == [1]
    assert list(read_masks(mask("a=b.png"), names).labels) == [0]


def test_two_names_of_one_number_must_be_told_whole(mask):
    names = ("1", "01", "2")
    assert list(read_masks(f"01={mask('m.png')}", names).labels) == [1]
    assert list(read_masks(f"1={mask('m.png')}", names).labels) == [0]


# One frame, one mask


def test_two_masks_for_a_frame_are_both_named(mask):
    pairs = [f"2={mask('a.png')}", f"00002={mask('b.png')}"]
    with pytest.raises(InputError, match="two masks for frame 00002.*a.png and .*b.png"):
        read_masks(pairs, FROM_ONE)


def test_the_same_number_twice_in_a_folder_is_refused(mask, tmp_path):
    mask("1.png"), mask("01.png")
    with pytest.raises(InputError, match="two masks for frame 1.*01.png and .*/1.png"):
        read_masks(tmp_path, count=5)
    with pytest.raises(InputError, match="two masks for frame 00001"):
        read_masks(tmp_path, FROM_ONE)


def test_a_folder_is_matched_by_name_then_by_number(mask, tmp_path):
    mask("1.png", 1), mask("00003.png", 1, 2)
    assert list(read_masks(tmp_path, FROM_ONE).labels) == [0, 2]
    assert list(read_masks(tmp_path, count=9).labels) == [1, 3]


def test_frames_without_names_are_found_by_numbers_behind_the_word_frame(mask, tmp_path):
    """As annotation tools and ffmpeg name them."""
    for name in ("frame_000001.png", "Frame 3.png"):
        mask(name)
    assert set(read_masks(tmp_path, count=5).labels) == {1, 3}


def test_a_mask_that_matches_no_frame_is_refused(mask, tmp_path):
    mask("00002.png"), mask("00009.png")
    with pytest.raises(InputError, match="00009.png matches no frame.*from 00001 to 00005"):
        read_masks(tmp_path, FROM_ONE)
    with pytest.raises(InputError, match="00009.png: frame 9 is outside .* 0 to 4"):
        read_masks(tmp_path, count=5)


def test_what_is_no_mask_in_a_folder_is_said(mask, tmp_path):
    mask("00001.png")
    for name in ("notes.txt", "a.csv", "b.csv", "c.csv", ".hidden"):
        (tmp_path / name).write_text("no mask")
    masks = read_masks(tmp_path, FROM_ONE)
    assert "left out: a.csv, b.csv, c.csv and 1 more" in masks.doubts[0]


def test_masks_that_cannot_be_read_are_not_left_out(mask, tmp_path):
    mask("00001.png")
    (tmp_path / "00002.psd").write_bytes(b"8BPS" + bytes(100))
    with pytest.raises(InputError, match="00002.psd is a Photoshop document"):
        read_masks(tmp_path, FROM_ONE)


def test_a_folder_of_folders_says_so(mask, tmp_path):
    (tmp_path / "dog").mkdir()
    with pytest.raises(InputError, match="holds no mask but folders, name one of them"):
        read_masks(tmp_path)


@pytest.mark.parametrize("spec", ["", [""]])
def test_an_empty_name_is_refused(spec):
    with pytest.raises(InputError, match="empty name"):
        read_masks(spec)


@pytest.mark.parametrize("item", ["=m.png", "3=", "m.png", squares(1), 5])
def test_pairs_without_a_frame_or_file_are_explained_in_one_line(item):
    with pytest.raises(InputError, match="FRAME=FILE") as caught:
        read_masks([item, "0=a.png"])
    assert str(caught.value).isprintable()


def test_a_lone_mask_is_for_the_first_frame_and_another_of_its_name_is_said(mask):
    masks = read_masks(mask("00003.png"), FROM_ONE)
    assert list(masks.labels) == [0]
    assert "taken for the first frame, 00001, though another one bears its name" in masks.doubts[0]
    assert read_masks(mask("00001.png"), FROM_ONE).doubts == ()


def test_a_folder_that_cannot_be_listed_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(
        os, "listdir", lambda path: (_ for _ in ()).throw(PermissionError(13, "no"))
    )
    monkeypatch.setattr(
        os, "scandir", lambda path: (_ for _ in ()).throw(PermissionError(13, "no"))
    )
    with pytest.raises(InputError, match="cannot be listed"):
        read_masks(tmp_path)


# What is said


def test_one_mask_in_a_sentence(mask):
    masks = read_masks(mask("first.png", 1, 2), FROM_ONE)
    (sentence,) = masks.notes
    assert sentence.startswith("2 objects (ids 1, 2) in frame 0 (00001) from ")
    assert sentence.endswith("first.png, a palette image")
    assert masks.doubts == ()
    assert masks.names[0].endswith("first.png")


def test_an_array_in_a_sentence():
    assert read_masks(squares(7)).notes == (
        "1 object (id 7) in frame 0 from the mask, an array of uint8",
    )


def test_several_masks_in_a_sentence(mask, tmp_path):
    mask("0.png", 1), mask("3.png", 1, 2), mask("4.png")
    (sentence,) = read_masks(tmp_path, count=9).notes
    assert sentence.startswith("2 objects (ids 1, 2) in 3 frames (0, 3, 4) from ")
    assert sentence.endswith("0.png, a palette image, and 2 more")


def test_many_ids_and_frames_are_abbreviated():
    many = np.zeros(SIZE, np.uint8)
    many[:30] = 1 + np.arange(30)[:, None]
    masks = read_masks({frame: many for frame in range(40)})
    assert masks.notes[0].startswith("30 objects (ids 1 to 30) in 40 frames (0, 1, 2, 3, 4, 5, 6,")
    assert ", ..., 39) from" in masks.notes[0]
    assert "(ids 2, 4, 6, 8, 10, 12, 14, 16, 18, ..., 60)" in read_masks(2 * many).notes[0]
