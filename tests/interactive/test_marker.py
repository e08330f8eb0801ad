"""`mark()` and `Marker`: windows that are encoded once, corrections, and bad input."""

import numpy as np
import pytest

import vosjax
from vosjax.errors import InputError
from vosjax.interactive.clues import BOX, INSIDE, MASK, OUTSIDE, RADIUS
from vosjax.interactive.marker import SPREAD, Marker, MarkModel

SIDE = 129
FRAME = np.zeros((120, 200, 3), np.uint8)


class Obedient:
    """A model that answers what it was told: the box, the clicks on the object, and the mask."""

    def __init__(self):
        self.encoded, self.clues = 0, []

    def encode(self, image):
        assert image.shape == (SIDE, SIDE, 3) and image.dtype == np.uint8
        self.encoded += 1
        return None

    def segment(self, features, clues):
        self.clues.append(clues)
        answer = np.maximum(np.maximum(clues[..., BOX], clues[..., INSIDE]), clues[..., MASK])
        return np.where(clues[..., OUTSIDE] > 0, 0, answer).astype(np.float32)

    @property
    def model(self):
        return MarkModel(SIDE, self.encode, self.segment)


def box_mask(x, y, width, height):
    mask = np.zeros(FRAME.shape[:2], bool)
    mask[y : y + height, x : x + width] = True
    return mask


@pytest.mark.parametrize(
    "box", [(40, 30, 60, 40), (0, 0, 25, 90), (150, 100, 50, 20), (9, 9, 8, 8)]
)
def test_the_answer_lies_where_the_box_is(box):
    mask = vosjax.mark(FRAME, box=box, model=Obedient().model)
    assert mask.shape == (120, 200) and mask.dtype == bool
    expected = box_mask(*box)
    assert (mask & expected).sum() / (mask | expected).sum() > 0.93


def test_a_box_that_leaves_the_frame_counts_as_far_as_it_is_inside():
    over = vosjax.mark(FRAME, box=(-20, 100, 60, 400), model=Obedient().model)
    np.testing.assert_array_equal(
        over, vosjax.mark(FRAME, box=(0, 100, 40, 20), model=Obedient().model)
    )


def test_a_click_alone_is_looked_at_in_the_whole_frame_and_then_closer():
    obedient = Obedient()
    mask = vosjax.mark(FRAME, points=[(50, 40)], model=obedient.model)
    assert obedient.encoded > 1
    assert mask[40, 50] and not mask[100, 150]
    columns = np.flatnonzero(obedient.clues[-1][..., INSIDE].any(0))
    assert columns.mean() == pytest.approx(SIDE / 2, abs=2), "the click is in the window's middle"


def test_a_correction_sees_the_mask_and_each_look_that_of_the_one_before():
    obedient = Obedient()
    marker = Marker(FRAME, model=obedient.model)
    marker.probability(points=[(120, 50)], so_far=box_mask(40, 30, 60, 40))
    assert len(obedient.clues) == 3 and obedient.encoded == 1
    at_the_click = obedient.clues[0][..., INSIDE] > 0
    before, after, later = (clues[..., MASK][at_the_click].mean() for clues in obedient.clues)
    assert before == 0 and after > 0.8 and later > 0.8


@pytest.mark.parametrize("size", [4, 20, 60, 110, SIDE])
def test_a_first_click_takes_three_looks_and_a_closer_one_sees_no_mask(size):
    obedient, seen = Obedient(), []
    found = np.zeros((SIDE, SIDE), np.float32)
    found[:size, :size] = 1

    def segment(features, clues):
        seen.append(obedient.encoded)
        return np.maximum(obedient.segment(features, clues), found)

    vosjax.mark(FRAME, points=[(50, 40)], model=obedient.model._replace(segment=segment))
    assert len(seen) == 3 and (obedient.encoded > 1) == (size < 110)
    for look, clues in enumerate(obedient.clues):
        same_window = look > 0 and seen[look] == seen[look - 1]
        assert clues[..., MASK].any() == same_window


def test_an_object_that_fills_the_frame_is_looked_at_in_the_whole_frame():
    obedient = Obedient()
    mask = vosjax.mark(FRAME, box=(2, 2, 196, 116), model=obedient.model)
    inside = np.flatnonzero(obedient.clues[0][..., BOX].any(0))
    assert inside.size == pytest.approx(SIDE * 196 / 200, abs=1)
    assert mask.mean() > 0.9


def test_a_box_is_looked_at_before_the_clicks_that_correct_it():
    obedient = Obedient()
    marker = Marker(FRAME, model=obedient.model)
    points = [(70, 50), (90, 60, False)]
    at_once = marker.probability(box=(40, 30, 60, 40), points=points)
    assert not any(clues[..., INSIDE : OUTSIDE + 1].any() for clues in obedient.clues[:3])
    assert all(clues[..., OUTSIDE].any() for clues in obedient.clues[3:])
    first = marker.probability(box=(40, 30, 60, 40))
    in_turns = marker.probability(box=(40, 30, 60, 40), points=points, so_far=first)
    np.testing.assert_array_equal(at_once, in_turns)


def test_clicks_on_the_object_are_looked_at_before_those_beside_it():
    obedient = Obedient()
    marker = Marker(FRAME, model=obedient.model)
    at_once = marker.probability(points=[(80, 52, False), (70, 50)])
    assert not obedient.clues[0][..., OUTSIDE].any() and obedient.clues[-1][..., OUTSIDE].any()
    assert at_once[50, 70] > 0.5 > at_once[52, 80]


def test_a_stroke_says_how_large_the_object_is():
    stroke = [(80 + 4 * at, 60) for at in range(5)]
    obedient = Obedient()
    vosjax.mark(FRAME, points=stroke, model=obedient.model)
    columns = np.flatnonzero(obedient.clues[0][..., INSIDE].any(0))
    middles = SIDE / SPREAD  # from the first click to the last
    assert columns[-1] - columns[0] == pytest.approx(middles + 2 * RADIUS - 1, abs=1)
    assert (columns[0] + columns[-1] + 1) / 2 == pytest.approx(SIDE / 2, abs=1)

    few = Obedient()
    vosjax.mark(FRAME, points=stroke[:3], model=few.model)
    columns = np.flatnonzero(few.clues[0][..., INSIDE].any(0))
    assert columns[-1] - columns[0] == pytest.approx(SIDE * 8 / 200 + 2 * RADIUS - 1, abs=1)


def test_a_stroke_across_the_frame_is_looked_at_in_the_whole_frame():
    obedient = Obedient()
    vosjax.mark(FRAME, points=[(20 + 40 * at, 60) for at in range(5)], model=obedient.model)
    assert obedient.clues[0][SIDE // 2, int(20 * SIDE / 200), INSIDE]


def test_a_correction_in_the_same_window_encodes_nothing_again():
    obedient = Obedient()
    marker = Marker(FRAME, model=obedient.model)
    first = marker.probability(box=(40, 30, 60, 40))
    second = marker.probability(points=[(70, 50), (90, 60, False)], so_far=first)
    assert obedient.encoded == 1
    assert first[60, 90] > 0.5 > second[60, 90]
    assert second[40, 50] > 0.5  # the mask so far is kept where no one objects


def test_answers_depend_on_what_is_given_alone():
    marker = Marker(FRAME, model=Obedient().model)
    first = marker.probability(box=(40, 30, 60, 40))
    marker.probability(box=(150, 80, 30, 30))
    np.testing.assert_array_equal(marker.probability(box=(40, 30, 60, 40)), first)


def test_few_windows_are_kept():
    obedient = Obedient()
    marker = Marker(FRAME, model=obedient.model)
    for x in range(0, 180, 30):
        marker.probability(box=(x, 10, 10, 10))
    assert obedient.encoded == 6
    marker.probability(box=(150, 10, 10, 10))
    assert obedient.encoded == 6
    marker.probability(box=(0, 10, 10, 10))
    assert obedient.encoded == 7


@pytest.mark.parametrize(
    "given, message",
    [
        (dict(), "nothing says where the object is"),
        (dict(points=[(10, 10, False)]), "nothing says where the object is"),
        (dict(box=(1, 2, 3)), r"four finite numbers \(x, y, w, h\)"),
        (dict(box="here"), "four finite numbers"),
        (dict(box=(1, 2, float("nan"), 3)), "four finite numbers"),
        (dict(box=(10, 10, 0.5, 9)), "at least one pixel"),
        (dict(box=(200, 10, 5, 9)), "lies outside of the frame, which is 200x120"),
        (dict(points=[(10, 121)]), "lies outside of the frame, which is 200x120"),
        (dict(points=[(10,)]), "two finite numbers"),
        (dict(points=7), "a list of"),
    ],
)
def test_bad_marks_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        vosjax.mark(FRAME, model=Obedient().model, **given)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8), "a.png"],
)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(InputError, match=r"uint8 \[H, W, 3\] RGB is expected"):
        vosjax.mark(frame, box=(1, 1, 2, 2), model=Obedient().model)


@pytest.mark.parametrize(
    "so_far", [np.zeros((5, 5)), np.full((120, 200), 2.0), np.full((120, 200), 7, np.uint8)]
)
def test_what_is_no_probability_is_refused(so_far):
    marker = Marker(FRAME, model=Obedient().model)
    with pytest.raises(InputError, match="the mask so far"):
        marker.probability(box=(1, 1, 9, 9), so_far=so_far)
