"""For everybody: axe-core in dark and light, the keyboard alone, a window like a telephone."""

import pathlib

import numpy as np
import pytest
from support.studio_person import Person

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def axe():
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    return next(pathlib.Path(package.__file__).parent.glob("**/axe.min.js")).read_text()


def violations(page, axe):
    """What axe-core finds: 'rule: element' for each."""
    page.evaluate(axe)
    found = page.evaluate(
        "(rules) => axe.run(document, {runOnly: rules}).then((result) => result.violations)", RULES
    )
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_in_the_main_states(chromium, studio, film, axe, theme):
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme=theme)
    person = Person(context.new_page(), studio.address)
    found = {"library": violations(person.page, axe)}
    person.page.get_by_label("A file or folder of frames on this machine").fill("/nowhere.mp4")
    person.press("Enter")
    person.reads("There is no video at /nowhere.mp4")
    found["error"] = violations(person.page, axe)
    person.choose_file(film)
    found["empty"] = violations(person.page, axe)
    person.press("d")
    person.drag((50, 50), (90, 50))
    person.change("n")
    found["objects"] = violations(person.page, axe)
    for key in ("?", "e", "j"):
        person.press(key)
        person.page.wait_for_selector("dialog[open]")
        found[key] = violations(person.page, axe)
        person.press("Escape")
    person.page.get_by_role("button", name="Settings").click()
    found["settings"] = violations(person.page, axe)
    person.press("Escape")
    person.press("m")
    person.reads("There is no marked frame ahead.")
    found["status"] = violations(person.page, axe)
    context.close()
    assert not {state: lines for state, lines in found.items() if lines}


def test_a_box_is_drawn_by_the_keyboard_alone(person, film):
    person.choose_file(film)
    person.press("d")
    person.page.locator("#stage").focus()
    person.press("Tab", "Shift+Tab")
    before = person.labels(0)
    assert before is None
    person.press("Enter", *["ArrowRight"] * 4)
    person.change("Enter")
    state = person.state
    middle = state["height"] // 2, state["width"] // 2
    assert person.labels(0)[middle] == 1
    assert person.labels(0)[middle[0], middle[1] + 8] == 1


def test_the_question_mark_shows_every_shortcut(person, film):
    person.choose_file(film)
    person.press("?")
    dialog = person.page.get_by_role("dialog", name="Keyboard")
    for text in ("Box", "Undo", "Forward", "Export", "Next, previous low score"):
        assert dialog.get_by_text(text, exact=True).is_visible()
    person.press("?")
    dialog.wait_for(state="detached")


def test_shortcuts_of_one_key_can_be_switched_off(person, film):
    person.choose_file(film)
    person.page.get_by_role("button", name="Settings").click()
    person.page.get_by_label("Shortcuts of a single key").uncheck()
    person.press("Escape", "b")
    assert person.page.locator("#tool-box").get_attribute("aria-pressed") == "false"


def test_the_theme_is_switched_and_remembered(person):
    before = person.page.evaluate("getComputedStyle(document.body).backgroundColor")
    person.press("q")
    after = person.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert after != before
    person.reload()
    assert person.page.evaluate("getComputedStyle(document.body).backgroundColor") == after


def test_a_telephone_marks_with_a_finger(chromium, studio, film):
    context = chromium.new_context(
        viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True
    )
    person = Person(context.new_page(), studio.address)
    person.choose_file(film)
    page = person.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#tool-brush").tap()
    with person.saved():
        page.touchscreen.tap(*person.spot(100, 60))
    assert person.labels(0)[60, 100] == 1
    for name in ("#add-object", "#track-forward", "#frame-number", "#ruler"):
        page.locator(name).scroll_into_view_if_needed()
        box = page.locator(name).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    context.close()


def test_two_fingers_zoom_and_mark_nothing(chromium, studio, film):
    context = chromium.new_context(
        viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True
    )
    person = Person(context.new_page(), studio.address)
    person.choose_file(film)
    stage = person.page.locator("#stage")
    person.page.wait_for_timeout(500)
    revision, before = person.state["revision"], stage.screenshot()
    x, y = person.spot(108, 60)
    touch = context.new_cdp_session(person.page)
    for kind, gaps in (("touchStart", [0, 20]), ("touchMove", [40, 60, 80]), ("touchEnd", [])):
        for gap in gaps or [None]:
            fingers = [] if gap is None else [{"x": x - gap, "y": y, "id": 0}]
            if gap:
                fingers.append({"x": x + gap, "y": y, "id": 1})
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
    person.page.wait_for_timeout(300)
    assert stage.screenshot() != before
    assert person.state["revision"] == revision
    assert person.objects == []
    context.close()


def test_scores_and_masks_do_not_depend_on_the_zoom(person, film):
    person.choose_file(film)
    person.press("d")
    person.page.mouse.move(*person.spot(60, 60))
    person.page.mouse.wheel(0, -800)
    with person.saved():
        person.page.mouse.down()
        person.page.mouse.up()
    assert person.labels(0)[60, 60] == 1
    person.press("z")
    person.click(150, 60)
    assert np.count_nonzero(person.labels(0)[60, 145:156]) >= 10
