"""Marking objects on the page: every tool, undo and redo, and the column of objects."""

import numpy as np
import pytest
from support.studio_person import agreement

BALL, CREATURE = 2, 1


def middle(mask):
    """(x, y) of the pixel of a mask that lies nearest to its middle."""
    points = np.argwhere(mask)
    y, x = points[np.abs(points - points.mean(0)).sum(1).argmin()]
    return float(x) + 0.5, float(y) + 0.5


def corners(mask):
    """((x, y), (x, y)): the upper left and the lower right corner of a mask's box."""
    points = np.argwhere(mask)
    (top, left), (bottom, right) = points.min(0), points.max(0) + 1
    return (left, top), (right, bottom)


@pytest.fixture
def truth(clip):
    return clip[1]


@pytest.fixture
def opened(person, film):
    person.choose_file(film)
    yield person
    person.no_errors()


def test_a_click_makes_an_object_and_its_mask(opened, truth):
    opened.click(*middle(truth[0] == BALL))
    assert opened.objects == ["Object 1"]
    assert agreement(opened.labels(0), truth[0] == BALL) > 0.5
    assert opened.state["pins"] == {"0": [1]}


def test_clicks_add_up_and_undo_takes_back_the_last(opened, truth):
    opened.press("b")
    opened.drag(*corners(truth[0] == CREATURE))
    first = opened.labels(0)
    opened.press("c")
    opened.click(*middle(truth[0] == BALL), button="right")
    opened.change("Control+z")
    np.testing.assert_array_equal(opened.labels(0), first)
    opened.change("Control+Shift+z")
    opened.reads("Done again: click on frame 0")


def test_a_box_is_drawn_from_corner_to_corner(opened, truth):
    opened.press("b")
    opened.drag(*corners(truth[0] == BALL))
    assert agreement(opened.labels(0), truth[0] == BALL) > 0.7


def test_the_brush_paints_the_pixels_under_it_and_the_eraser_takes_them(opened):
    opened.press("d")
    opened.drag((50, 50), (90, 50))
    painted = opened.labels(0)
    assert (painted[50, 50:90] == 1).all()
    assert not painted[70].any()
    opened.press("x")
    opened.drag((60, 30), (60, 70))
    assert opened.labels(0)[50, 60] == 0
    assert opened.labels(0)[50, 85] == 1


def test_strokes_in_quick_succession_are_all_kept(opened):
    opened.press("d")
    revision = opened.state["revision"]
    for y in (20, 40, 60, 80):
        opened.page.mouse.move(*opened.spot(20, y))
        opened.page.mouse.down()
        opened.page.mouse.move(*opened.spot(60, y), steps=3)
        opened.page.mouse.up()
    opened.until("document.getElementById('saved-text').textContent === 'Saved'")
    assert opened.state["revision"] >= revision + 4
    assert all(opened.labels(0)[y, 40] == 1 for y in (20, 40, 60, 80))


def test_the_brush_grows_with_the_bracket(opened):
    opened.press("d", "]", "]", "]")
    opened.drag((50, 50), (60, 50))
    assert opened.labels(0)[50 - 12, 55] == 1


def test_a_polygon_is_closed_by_a_double_click(opened):
    opened.press("p")
    for x, y in ((20, 20), (80, 20)):
        opened.page.mouse.click(*opened.spot(x, y))
    with opened.saved():
        opened.page.mouse.dblclick(*opened.spot(80, 80))
    labels = opened.labels(0)
    assert labels[30, 70] == 1
    assert labels[70, 30] == 0


def test_a_scribble_marks_what_it_runs_through(opened, truth):
    (left, top), (right, bottom) = corners(truth[0] == BALL)
    opened.press("s")
    opened.drag((left + 8, (top + bottom) / 2), (right - 8, (top + bottom) / 2))
    assert agreement(opened.labels(0), truth[0] == BALL) > 0.5


def test_a_mask_is_shown_in_the_colour_of_its_object(opened):
    opened.press("d")
    before = opened.colour(70, 50)
    opened.drag((50, 50), (90, 50))
    opened.page.mouse.move(5, 5)
    opened.page.locator("#alpha").fill("1")
    opened.page.wait_for_timeout(100)
    red, green, blue = opened.colour(70, 50)
    colour = opened.state["objects"][0]["colour"]
    assert f"#{red:02x}{green:02x}{blue:02x}" == colour.lower()
    opened.press("o")
    opened.page.wait_for_timeout(100)
    assert opened.colour(70, 50) == before


def test_objects_are_added_named_hidden_merged_and_removed(opened):
    opened.change("n")
    opened.change("n")
    assert opened.objects == ["Object 1", "Object 2"]
    opened.press("F2")
    opened.page.keyboard.type("Ball")
    opened.change("Enter")
    opened.press("1")
    assert opened.chosen == "Object 1"
    opened.change("h")
    assert [one["hidden"] for one in opened.state["objects"]] == [True, False]
    opened.press("j")
    opened.page.get_by_label("All masks of Object 1 become part of").select_option("Ball")
    with opened.saved():
        opened.page.get_by_role("button", name="Merge", exact=True).click()
    assert opened.objects == ["Ball"]
    opened.change("Shift+Delete")
    assert opened.objects == []
    opened.change("Control+z")
    assert opened.objects == ["Ball"]


def test_a_mark_where_nothing_is_says_so_in_one_line(opened):
    opened.press("b")
    opened.page.mouse.move(*opened.spot(10, 10))
    opened.page.mouse.down()
    opened.page.mouse.move(*opened.spot(10.5, 10.5))
    opened.page.mouse.up()
    opened.reads("Draw the box from one corner of the object to the other.")
