"""Masks that wait in a run's folder: what a killed process left there goes, and nothing else."""

import pytest

from vosjax.eval.leftovers import made_by
from vosjax.runs.frame_files import run_files
from vosjax.runs.waiting import waiting_files, waiting_masks


def leave(folder):
    """What a killed process leaves: masks, one of them half written."""
    folder.mkdir(parents=True)
    for name in ("0.png", "12.png", ".3.png.0123abcd.tmp.png"):
        (folder / name).write_bytes(b"left")


@pytest.mark.parametrize("video", ["", "dog"])
def test_what_was_left_is_removed_before_and_what_is_made_afterwards(tmp_path, video):
    (tmp_path / "run.json").write_text("{}")
    leave(tmp_path / "zoomed" / video)
    with waiting_masks(tmp_path, video) as folder:
        assert list(folder.iterdir()) == []
        (folder / "0.png").write_bytes(b"new")
        assert waiting_files(tmp_path, video) == [folder / "0.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("left", [(), (".3.png.0123abcd.tmp.png",)])
def test_a_folder_without_a_whole_mask_is_removed_too(tmp_path, left):
    (tmp_path / "zoomed").mkdir()
    for name in left:
        (tmp_path / "zoomed" / name).write_bytes(b"left")
    with waiting_masks(tmp_path) as folder:
        assert list(folder.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_an_error_and_another_video_leave_the_masks_of_others(tmp_path):
    leave(tmp_path / "zoomed" / "cow")
    with pytest.raises(KeyboardInterrupt), waiting_masks(tmp_path, "dog"):
        raise KeyboardInterrupt
    assert [path.name for path in (tmp_path / "zoomed").iterdir()] == ["cow"]
    assert len(waiting_files(tmp_path, "cow")) == 2


def test_overwriting_a_run_removes_them(tmp_path):
    leave(tmp_path / "zoomed" / "cow")
    assert set(waiting_files(tmp_path, "cow")) <= set(made_by(tmp_path, ["cow"]))
    leave(tmp_path / "one" / "zoomed")
    assert set(waiting_files(tmp_path / "one")) <= set(run_files(tmp_path / "one"))
