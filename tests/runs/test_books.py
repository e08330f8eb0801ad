"""The books of a run: a line for each frame, cut off anywhere, and what they say of files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosjax.io.palette import write_label_png
from vosjax.io.scores import ObjectScore, ScoreWriter
from vosjax.runs import books, clear


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with masks and scores of four frames, and their books."""
    root = tmp_path_factory.mktemp("kept")
    note = books.FrameBooks(root / "state" / "books.jsonl", resume=0)
    with ScoreWriter(root / "scores.csv") as scores:
        for frame in range(4):
            rows = scores.write(frame, "x", [ObjectScore(1, 0.5, frame / 10, frame, False)])
            write_label_png(mask(root, frame), np.full((4, 4), frame, np.uint8))
            note.note(frame, mask=mask(root, frame), rows=rows)
    note.close()
    return root


def mask(root, frame):
    return root / "masks" / f"{frame:05d}.png"


def fault(root, frames, file=None):
    masks = {frame: mask(root, frame) for frame in range(frames)}
    return books.frame_fault(file or root / "state" / "books.jsonl", masks, root / "scores.csv")


def test_frames_that_were_noted_are_sound(kept):
    assert fault(kept, 4) is None and fault(kept, 0) is None
    assert "00004.png is lost" in fault(kept, 5)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_books_that_are_cut_off_anywhere_vouch_for_what_is_left(kept, tmp_path_factory, data):
    whole = (kept / "state" / "books.jsonl").read_bytes()
    end = data.draw(st.integers(0, len(whole)))
    cut = tmp_path_factory.getbasetemp() / "cut.jsonl"
    cut.write_bytes(whole[:end])
    left = whole[:end].count(b"\n")
    assert sorted(books.read_frames(cut)) == list(range(left))
    assert fault(kept, left, cut) is None
    if left < 4:
        assert f"{left:05d}.png is not in the run's books" in fault(kept, 4, cut)


@settings(deadline=None, max_examples=60)
@given(lines=st.lists(st.binary(max_size=40), max_size=5))
def test_books_of_anything_are_read_without_an_error(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(b"\n".join(lines))
    assert isinstance(books.read_frames(path), dict)


def test_books_go_on_behind_the_frames_that_count(kept, tmp_path):
    file = tmp_path / "books.jsonl"
    file.write_bytes((kept / "state" / "books.jsonl").read_bytes())
    again = books.FrameBooks(file, resume=2)
    assert sorted(again.masks) == [0, 1]
    again.note(2, mask=mask(kept, 3), rows=b"")
    again.close()
    assert sorted(books.read_frames(file)) == [0, 1, 2]
    assert "00002.png is not what was written" in fault(kept, 3, file)


def test_no_books_vouch_for_nothing(kept, tmp_path):
    assert books.read_frames(tmp_path / "none") == {}
    assert "is not in the run's books" in fault(kept, 1, tmp_path / "none")


def test_files_that_were_made_are_told_from_others(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.csv").write_text("1")
    made = books.made([tmp_path / "a" / "b.csv"], tmp_path)
    assert list(made) == ["a/b.csv"] and books.faults(made, tmp_path) == []
    (tmp_path / "a" / "b.csv").write_text("2")
    assert books.faults(made, tmp_path) == [f"{tmp_path}/a/b.csv is not what was written"]
    (tmp_path / "a" / "b.csv").unlink()
    assert books.faults(made, tmp_path) == [f"{tmp_path}/a/b.csv is lost"]


@pytest.mark.parametrize("made", [None, {}, [], "x", 3])
def test_a_list_that_is_none_is_a_fault(made, tmp_path):
    assert len(books.faults(made, tmp_path)) == 1


def test_clearing_takes_files_and_folders_that_are_empty_without_them(tmp_path):
    for name in ("a/b/1", "a/b/.1.0123abcd.tmp", "a/2", "c/3", "c/mine"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    clear.clear(tmp_path, [tmp_path / name for name in ("a/b/1", "a/2", "c/3", "d/lost")])
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "c",
        "c/mine",
    ]


@pytest.mark.parametrize(
    "text, is_one",
    [("dog", True), ("com,ma", True), ("", False), ("..", False), ("../dog", False), ("a/b", False),
     ("/a", False), ("a\0b", False), (3, False), (None, False)],
)  # fmt: skip
def test_only_names_are_names(text, is_one):
    assert clear.is_name(text) is is_one
