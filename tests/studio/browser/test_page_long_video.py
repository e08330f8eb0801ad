"""A video of 2,000 frames: seeking, scrolling the timeline, and memory that stays bounded."""

import numpy as np
import pytest
from support.films import numbered, write_film

FRAMES = 2000
SIZE = (48, 64)


@pytest.fixture(scope="module")
def long_film(tmp_path_factory):
    images = [numbered(index % 256, SIZE) for index in range(FRAMES)]
    return write_film(tmp_path_factory.mktemp("films") / "long.mp4", images)


@pytest.fixture
def opened(person, long_film):
    person.choose_file(long_film)
    yield person
    person.no_errors()


def shows(person, index):
    """Waits until the picture of a frame is on the screen, by the bars that it carries."""
    bits = [bool((index % 256) >> bit & 1) for bit in range(8)]
    for _ in range(100):
        seen = [person.colour(4 + 8 * bit, 32)[0] > 127 for bit in range(8)]
        if seen == bits:
            return
        person.page.wait_for_timeout(50)
    raise AssertionError(f"frame {index} is not shown")


def test_any_frame_is_reached_and_shown(opened):
    assert opened.page.locator("#ruler").get_attribute("aria-valuemax") == str(FRAMES - 1)
    opened.press("End")
    shows(opened, FRAMES - 1)
    opened.page.locator("#frame-number").fill("1234")
    opened.press("Enter")
    shows(opened, 1234)
    box = opened.page.locator("#ruler").bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 14)
    assert 800 < opened.frame < 1100
    shows(opened, opened.frame)


def test_the_timeline_zooms_and_scrolls_with_the_playhead(opened):
    scroll = opened.page.locator("#timeline")
    for _ in range(12):
        opened.page.get_by_role("button", name="Show less of the timeline").click()
    assert scroll.evaluate("box => box.scrollWidth > 10 * box.clientWidth")
    opened.press("End")
    opened.page.wait_for_timeout(100)
    assert scroll.evaluate("box => box.scrollLeft > 5 * box.clientWidth")
    box = opened.page.locator("#ruler").bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + 14)
    assert FRAMES - 100 < opened.frame < FRAMES
    scroll.evaluate("box => box.scrollTo(0, 0)")
    opened.page.wait_for_timeout(100)
    opened.page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + 14)
    assert opened.frame < 100


def test_marks_far_apart_are_found_by_the_keyboard(opened):
    for frame in (100, 1900):
        opened.page.locator("#frame-number").fill(str(frame))
        opened.press("Enter", "Escape", "d")
        opened.click(32, 24)
    opened.press("Home", "k")
    assert opened.frame == 100
    opened.press("k")
    assert opened.frame == 1900
    opened.press("Shift+k")
    assert opened.frame == 100
    assert np.any(opened.labels(1900))
