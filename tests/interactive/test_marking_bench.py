"""The benchmark of boxes and clicks: where the next click goes, and what is scored."""

import cv2
import numpy as np
import pytest

from vosjax.bench import marking
from vosjax.data.config import DatasetConfig
from vosjax.eval.metrics import region_similarity
from vosjax.interactive.clues import BOX, INSIDE, MASK, OUTSIDE
from vosjax.interactive.marker import MarkModel
from vosjax.io.palette import write_label_png
from vosjax.train.marked import Marked

COUNTED = np.ones((40, 60), bool)


def square(rows, columns):
    mask = np.zeros((40, 60), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def test_the_first_click_lies_in_the_middle_of_the_object():
    nothing = np.zeros((40, 60), bool)
    x, y, inside = marking.next_click(nothing, square((10, 31), (20, 41)), COUNTED)
    assert (x, y, inside) == (30.5, 20.5, True)


def test_the_next_click_lies_in_the_deepest_mistake():
    truth = square((10, 30), (20, 40))
    missed = truth & ~square((10, 14), (20, 40))
    too_much = missed | square((0, 10), (45, 60))
    x, y, inside = marking.next_click(too_much, truth, COUNTED)
    assert not inside and 45 <= x <= 60 and y <= 10


def test_no_mistake_is_no_click():
    truth = square((10, 30), (20, 40))
    assert marking.next_click(truth, truth, COUNTED) is None
    assert marking.next_click(~truth, truth, np.zeros_like(truth)) is None


@pytest.mark.parametrize("rows, columns", [((10, 21), (5, 56)), ((2, 39), (30, 37))])
def test_a_stroke_lies_along_the_object_and_inside(rows, columns):
    ends = np.array(marking.stroke(square(rows, columns)))
    assert square(rows, columns)[tuple(ends[:, ::-1].astype(int).T)].all()
    long = np.array([columns[1] - columns[0], rows[1] - rows[0]])
    along, across = np.abs(ends[0] - ends[1])[np.argsort(-long)]
    assert along > 0.6 * long.max() and across < 2


def test_a_stroke_through_a_dot_is_a_dot():
    (left, top), (right, bottom) = marking.stroke(square((10, 11), (20, 21)))
    assert left == right == 20.5 and top == bottom == 10.5


def test_iou_leaves_out_what_does_not_count():
    truth, half = square((0, 20), (0, 20)), square((0, 10), (0, 20))
    assert region_similarity(truth, half, void=~COUNTED) == 0.5
    assert region_similarity(truth, half, void=~square((0, 10), (0, 60))) == 1
    assert region_similarity(truth, half, void=~square((30, 40), (0, 60))) == 1


@pytest.fixture
def stills(tmp_path):
    """Two photos of a bright square."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    mask = np.zeros((80, 100), np.uint8)
    mask[20:60, 30:70] = 1
    for number in range(2):
        image = np.where(mask[..., None], 220, 40).repeat(3, 2).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"images/{number}.png"), image)
        write_label_png(tmp_path / f"masks/{number}.png", mask)
    return tmp_path


def test_every_way_is_scored_for_every_object(stills):
    def segment(features, clues):
        answer = np.maximum(np.maximum(clues[..., BOX], clues[..., INSIDE]), clues[..., MASK])
        return np.where(clues[..., OUTSIDE] > 0, 0, answer).astype(np.float32)

    model = MarkModel(129, lambda image: None, segment)
    scores, seconds = marking.measure(Marked(DatasetConfig(str(stills))), model, objects=3)
    assert list(scores) == list(seconds) == list(marking.WAYS)
    assert all(len(values) == 3 for values in scores.values())
    assert min(scores["box itself"]) == 1  # the object fills its box
    assert min(scores["box"]) > 0.93
    assert min(scores["GrabCut"]) > 0.9
    first, _, third = (np.mean(scores[f"{number} clicks"]) for number in (1, 2, 3))
    assert 0 < first < third < 1
