"""Tracking that one watches: masks stream in, it stops at once, corrections stay."""

import numpy as np
import pytest
from support.films import write_film
from support.studio_person import Person, agreement

LONG = 120
BALL = 2


@pytest.fixture(scope="session")
def slow_film(clip, tmp_path_factory):
    """A video that takes a while: the clip there and back, again and again."""
    frames = [*clip[0], *clip[0][::-1]]
    images = [frames[index % len(frames)] for index in range(LONG)]
    return write_film(tmp_path_factory.mktemp("films") / "slow.mp4", images)


def mark(person, truth):
    """Paints the true ball of frame 0, as somebody with a steady hand."""
    y, x = np.argwhere(truth[0] == BALL).mean(0)
    radius = np.sqrt((truth[0] == BALL).sum() / np.pi)
    person.press("d")
    person.page.locator("#radius").evaluate(
        "(slider, radius) => { slider.value = 100 * Math.log(radius / 0.5) / Math.log(800);"
        " slider.dispatchEvent(new Event('input')); }",
        float(radius),
    )
    person.click(float(x), float(y))


def test_a_marked_object_is_tracked_and_its_scores_are_told(person, film, clip):
    truth = clip[1]
    person.choose_file(film)
    mark(person, truth)
    person.track()
    state = person.state
    assert sorted(map(int, state["labelled"])) == list(range(len(truth)))
    assert agreement(person.labels(len(truth) - 1), truth[-1] == BALL) > 0.6
    person.press("End")
    assert person.frame == len(truth) - 1
    score = state["scores"]["1"][str(len(truth) - 1)][0]
    assert person.page.locator("#objects .score").inner_text() == f"{score:.2f}"
    assert f"Object 1 {score:.2f}" in person.page.locator("#ruler").get_attribute("aria-valuetext")
    person.no_errors()


def test_a_correction_is_kept_and_the_way_back_ends_at_the_first_mark(person, film, clip):
    truth = clip[1]
    person.choose_file(film)
    mark(person, truth)
    person.track()
    first, middle = person.labels(0), 8
    person.page.locator("#frame-number").fill(str(middle))
    person.press("Enter", "Escape", "d")
    person.drag((10, 10), (40, 10))
    corrected = person.labels(middle)
    person.track("Shift+t")
    assert person.state["pins"] == {"0": [1], str(middle): [1]}
    np.testing.assert_array_equal(person.labels(0), first)
    np.testing.assert_array_equal(person.labels(middle), corrected)
    person.press("Home", "k")
    assert person.frame == middle
    person.change("Control+z")
    person.reads("Undone")
    person.no_errors()


def test_stop_ends_at_once_and_seeking_never_waits(person, slow_film, clip):
    person.choose_file(slow_film)
    mark(person, clip[1])
    person.press("t")
    person.until("Number(document.getElementById('job-progress').value) > 0", 90)
    person.press("End")
    assert person.frame == LONG - 1
    person.press("Escape")
    person.reads("Stopped after")
    made = len(person.state["labelled"])
    assert 1 < made < LONG
    person.page.wait_for_timeout(500)
    assert len(person.state["labelled"]) == made
    person.change("Control+z")
    assert list(person.state["labelled"]) == ["0"]
    person.press("Home", "t", "Escape")  # before the page can know that it has begun
    person.page.wait_for_timeout(1000)
    assert person.state["job"]["state"] == "stopped"
    person.no_errors()


def test_two_tabs_show_the_same(person, film, clip, studio):
    person.choose_file(film)
    other = Person(person.page.context.new_page(), studio.address)
    other.visit(f"#{person.video}/0")
    mark(person, clip[1])
    other.page.locator("#objects .label", has_text="Object 1").wait_for()
    other.change("n")
    person.page.locator("#objects .label", has_text="Object 2").wait_for()
    person.change("Control+z")
    other.page.locator("#objects .label", has_text="Object 2").wait_for(state="detached")
    np.testing.assert_array_equal(person.labels(0), other.labels(0))
    person.no_errors()
    other.no_errors()


def test_a_page_that_is_loaded_again_is_where_it_was(person, film, clip):
    person.choose_file(film)
    mark(person, clip[1])
    person.press(*["ArrowRight"] * 3)
    person.until("location.hash.endsWith('/3')")
    before = person.state
    person.reload()
    assert person.frame == 3
    assert person.objects == ["Object 1"]
    assert person.state == before
    person.no_errors()
