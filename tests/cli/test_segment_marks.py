"""Boxes and points on the command line, in place of masks or beside them."""

import numpy as np
import pytest
from support.command import LABELS, masks_of

from vosjax.errors import InputError
from vosjax.interactive.clues import BOX, INSIDE, MASK, OUTSIDE
from vosjax.interactive.marker import MarkModel
from vosjax.io.masks.frames import Frames
from vosjax.io.masks.raw import TargetVideo
from vosjax.modes import _marks
from vosjax.modes._marks import Mark

FOLDER = Frames(TargetVideo((48, 64), 10, tuple(f"{index:05d}" for index in range(10))))
FILM = Frames(TargetVideo((48, 64), 10))


@pytest.fixture
def obedient(monkeypatch):
    """An interactive network that answers what it was told."""

    def segment(features, clues):
        answer = np.maximum(np.maximum(clues[..., BOX], clues[..., INSIDE]), clues[..., MASK])
        return np.where(clues[..., OUTSIDE] > 0, 0, 0.9 * answer).astype(np.float32)

    monkeypatch.setattr(_marks, "load_marker", lambda: MarkModel(129, lambda image: None, segment))


def parsed(boxes=(), points=(), frames=FILM):
    return _marks.parsed(boxes, points, frames, [])


def test_objects_are_numbered_as_they_are_given_boxes_first():
    assert parsed(["1,2,3,4", "0=5,6,7,8"], ["9,10"]) == {
        0: {
            1: Mark((1, 2, 3, 4)),
            2: Mark((5, 6, 7, 8)),
            3: Mark(None, ((9, 10, True),)),
        }
    }


def test_a_box_and_points_of_one_id_belong_together():
    assert parsed(["2=7:1,2,3,4"], ["2=7:9,10;11,12,out"]) == {
        2: {7: Mark((1, 2, 3, 4), ((9, 10, True), (11, 12, False)))}
    }


def test_frames_are_found_by_name_or_number():
    assert list(parsed(["00004=1,2,3,4", "3=1,2,3,4"], frames=FOLDER)) == [3, 4]


@pytest.mark.parametrize(
    "boxes, points, message",
    [
        (["1,2,3"], [], "--boxes got '1,2,3'"),
        (["1,2,3,x"], [], "--boxes got"),
        (["1,2,3,nan"], [], "--boxes got"),
        ([], ["1"], "--points got '1'"),
        ([], ["1,2;3"], "--points got"),
        ([], ["1,2,in"], "--points got"),
        (["dog=1,2,3,4"], [], "dog"),
        (["99=1,2,3,4"], [], "99"),
        (["a:1,2,3,4"], [], "'a' is no object id"),
        (["0:1,2,3,4"], [], "ids of 1 to 255"),
        (["256:1,2,3,4"], [], "ids of 1 to 255"),
        (["1:1,2,3,4", "1:5,6,7,8"], [], "two boxes for object 1 in frame 0"),
    ],
)
def test_other_texts_are_refused(boxes, points, message):
    with pytest.raises(InputError, match=message):
        parsed(boxes, points)


def without_masks(workdir, *flags):
    return workdir.run(
        "--config", workdir.config, "--video", workdir.video, "--output", str(workdir.out), *flags
    )


def test_a_box_begins_an_object(workdir, obedient, capsys):
    assert without_masks(workdir, "--boxes", "10,8,20,16", "--boxes", "2=40,20,12,12") == 0
    assert "2 objects marked by boxes and points" in capsys.readouterr().out
    masks = masks_of(workdir.out)
    box = np.zeros(masks[0].shape, bool)
    box[8:24, 10:30] = True
    both = (masks[0] == 1) & box
    assert both.sum() > 0.9 * ((masks[0] == 1) | box).sum()
    assert (masks[2] == 2).any() and (masks[2][20:32, 40:52] == 2).mean() > 0.8


def test_of_two_that_overlap_the_more_probable_one_is_seen(workdir, monkeypatch, capsys):
    def segment(features, clues):
        area = clues[..., BOX].sum()
        return (clues[..., BOX] * (0.9 if area < 4000 else 0.6)).astype(np.float32)

    monkeypatch.setattr(_marks, "load_marker", lambda: MarkModel(129, lambda image: None, segment))
    assert without_masks(workdir, "--boxes", "4,4,40,12", "--boxes", "30,4,14,30") == 0
    first = masks_of(workdir.out)[0]
    assert {1, 2} <= set(np.unique(first))


def test_marks_are_laid_over_a_mask_of_the_same_frame(workdir, obedient):
    assert workdir.segment("--boxes", "5:30,20,12,12") == 0
    first = masks_of(workdir.out)[0]
    assert (first[22:30, 32:40] == 5).all()
    untouched = first[:18]
    np.testing.assert_array_equal(untouched, LABELS[0][:18])


def test_nothing_seen_in_a_box_is_said(workdir, monkeypatch, capsys):
    blind = MarkModel(129, lambda image: None, lambda features, clues: 0 * clues[..., BOX])
    monkeypatch.setattr(_marks, "load_marker", lambda: blind)
    assert without_masks(workdir, "--boxes", "10,8,20,16") == 2
    assert "no object is seen where object 1 is marked in frame 0" in capsys.readouterr().err
    assert not workdir.out.exists()


def test_a_box_outside_of_the_frame_is_said(workdir, obedient, capsys):
    assert without_masks(workdir, "--boxes", "64,8,20,16") == 2
    assert "lies outside of the frame, which is 64x48" in capsys.readouterr().err


def test_other_marks_are_another_run(workdir, obedient, capsys):
    assert without_masks(workdir, "--boxes", "10,8,20,16") == 0
    assert without_masks(workdir, "--boxes", "10,8,20,16") == 0
    assert "is complete" in capsys.readouterr().out
    assert without_masks(workdir, "--boxes", "10,8,21,16") == 2
    assert "boxes" in capsys.readouterr().err


def test_neither_masks_nor_marks_are_refused(workdir, capsys):
    assert without_masks(workdir) == 2
    assert "or boxes or points of objects" in capsys.readouterr().err
