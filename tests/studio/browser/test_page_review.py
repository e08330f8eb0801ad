"""Looking over what was tracked: jumps to where it pays, going on after a stop, undo and redo.

The studio runs in this process, over a network of a few lines: the tests set its scores, and hold
its tracking at a frame.
"""

import contextlib
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from support import clips
from support.studio import served, write_frames

from vosjax.studio import job, objects

FRAMES, HEIGHT, WIDTH, SQUARE = 12, 48, 64, 16
HELD = 6  # the frame at which tracking is held
FOX, HEN = 1, 2
SCORES = {  # 0: absent
    FOX: [0.9, 0.9, 0.9, 0.6, 0.5, 0.9, 0.0, 0.0, 0.9, 0.4, 0.9, 0.9],
    HEN: [0.9, 0.9, 0.7, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.6],
}
PINNED = {0: [FOX, HEN], 9: [HEN], 11: [HEN]}
NAMES = {
    ("low", 1): ("Next low score", "l"),
    ("low", -1): ("Previous low score", "Shift+l"),
    ("absence", 1): ("Next absence", "g"),
    ("absence", -1): ("Previous absence", "Shift+g"),
}


@pytest.fixture(scope="module")
def studio(chromium, tmp_path_factory):
    """A studio of this file's own."""
    with served(tmp_path_factory.mktemp("review") / "project") as client:
        yield SimpleNamespace(address=str(client.base_url).rstrip("/"), client=client)


@pytest.fixture
def video(studio, tmp_path):
    """The path of the API of a video of two squares, in which nothing is marked."""
    frames, _ = clips.clip(frames=FRAMES, height=HEIGHT, width=WIDTH, objects=2)
    return studio.client.video(write_frames(tmp_path / "squares", frames))


def before(person, video):
    """The person before a video."""
    person.visit(f"#{video.rsplit('/', 1)[1]}/0")
    person.page.wait_for_selector("body[data-view=editor]")
    yield person
    person.no_errors()


# Jumps.


@pytest.fixture
def tracked(person, studio, video):
    """The video with two objects that have SCORES and pins."""
    clip = studio.client.studio.project.clip(video.rsplit("/", 1)[1])

    def values():
        changed = {
            "objects": {
                id: {"name": name, "colour": "#00aa00", "hidden": False}
                for id, name in ((FOX, "Fox"), (HEN, "Hen"))
            },
            "labelled": {},
            "scores": {},
            "pins": PINNED,
        }
        for frame in range(FRAMES):
            sure = {id: scores[frame] for id, scores in SCORES.items()}
            labels = np.zeros((HEIGHT, WIDTH), np.uint8)
            for id, score in sure.items():
                labels[8 * id : 8 * id + 8, 10:40] = id if score else 0
            for table, rows in clip.frame_values(frame, labels, sure=sure).items():
                changed[table].update(rows)
        return changed

    clip.edit("tracked elsewhere", values)
    yield from before(person, video)


def jump(person, how, what, direction):
    """Jumps by a button or a key; returns the frame that is shown then."""
    name, key = NAMES[what, direction]
    if how == "button":
        person.page.get_by_role("button", name=name, exact=True).click()
    else:
        person.press(key)
    return person.frame


@pytest.mark.parametrize("how", ["button", "key"])
def test_low_scores_are_jumped_to_at_the_worst_frame_of_each_run(tracked, how):
    assert [jump(tracked, how, "low", 1) for _ in range(3)] == [2, 4, 9]
    tracked.reads("Frame 9: Fox has a score of 0.40.")
    assert jump(tracked, how, "low", 1) == 9, "Hen is pinned in frame 11, so it is right there"
    tracked.reads("There is no low score ahead.")
    assert [jump(tracked, how, "low", -1) for _ in range(2)] == [4, 2]
    tracked.reads("Frame 2: Hen has a score of 0.70.")
    assert jump(tracked, how, "low", -1) == 2
    tracked.reads("There is no low score behind.")


@pytest.mark.parametrize("how", ["button", "key"])
def test_an_object_that_goes_or_comes_back_is_jumped_to(tracked, how):
    assert jump(tracked, how, "absence", 1) == 6
    tracked.reads("Frame 6: Fox is gone.")
    assert jump(tracked, how, "absence", 1) == 8
    tracked.reads("Frame 8: Fox is back.")
    assert jump(tracked, how, "absence", 1) == 8
    tracked.reads("There is no change of absence ahead.")
    assert jump(tracked, how, "absence", -1) == 6
    assert jump(tracked, how, "absence", -1) == 6
    tracked.reads("There is no change of absence behind.")


def test_an_accepted_frame_and_a_hidden_object_are_passed_over(tracked):
    assert [jump(tracked, "key", "low", 1) for _ in range(2)] == [2, 4]
    tracked.change("y")
    tracked.reads("Frame 4 is right")
    tracked.press("Home", "2")
    tracked.change("h")
    assert jump(tracked, "key", "low", 1) == 3, "what is left of Fox's run"
    assert jump(tracked, "key", "low", 1) == 9


def test_an_absence_that_is_corrected_is_no_change_any_more(tracked):
    tracked.press("1", "d")
    for frame in (6, 7):
        tracked.page.locator("#frame-number").fill(str(frame))
        tracked.press("Enter", "Escape")
        tracked.drag((10, 12), (40, 12))
    tracked.press("Home")
    assert jump(tracked, "key", "absence", 1) == 0
    tracked.reads("There is no change of absence ahead.")
    tracked.change("Control+z")
    assert jump(tracked, "key", "absence", 1) == 7


def test_what_counts_as_low_is_a_setting(tracked):
    tracked.page.get_by_role("button", name="Settings").click()
    tracked.page.get_by_role("spinbutton", name="Low score").fill("0.45")
    tracked.press("Enter", "Escape")
    assert jump(tracked, "key", "low", 1) == 9


# Going on after a stop.


@pytest.fixture
def hold(monkeypatch):
    """Tracking waits before frame HELD: `reached` is set there, and `go_on` lets it pass."""
    reached, go_on, follow = threading.Event(), threading.Event(), job.follow

    def held(*args):
        with contextlib.closing(follow(*args)) as steps:
            for step in steps:
                if step.frame == HELD and not reached.is_set():
                    reached.set()
                    assert go_on.wait(60)
                yield step

    monkeypatch.setattr(job, "follow", held)
    yield SimpleNamespace(reached=reached, go_on=go_on)
    go_on.set()


@pytest.fixture
def marked(person, studio, video):
    """The video with the first square marked in frame 0, exactly."""
    studio.client.done(f"{video}/objects", name="Square")
    corners = [[0, 0], [SQUARE, 0], [SQUARE, SQUARE], [0, SQUARE]]
    studio.client.done(f"{video}/paint", frame=0, object=1, kind="polygon", points=corners)
    yield from before(person, video)


@pytest.mark.parametrize("how", ["button", "key"])
def test_tracking_that_was_stopped_goes_on_where_it_was(marked, hold, how):
    page = marked.page
    if how == "button":
        page.get_by_role("button", name="Forward").click()
    else:
        marked.press("t")
    assert hold.reached.wait(60)
    if how == "button":
        page.get_by_role("button", name="Stop").click()
    else:
        marked.press("Escape")
    marked.reads(f"Stopped after {HELD - 1} frames; they are kept.")
    hold.go_on.set()
    stopped = marked.state
    assert sorted(map(int, stopped["labelled"])) == list(range(HELD))

    page.locator("#frame-number").fill(str(HELD - 1))
    marked.press("Enter", "Escape")
    if how == "button":
        page.get_by_role("button", name="Forward").click()
        marked.reads(f"{FRAMES - HELD} frames tracked.")
    else:
        marked.track()
    state = marked.state
    assert sorted(map(int, state["labelled"])) == list(range(FRAMES))
    assert state["labelled"].items() >= stopped["labelled"].items(), "what was made stays"
    assert state["pins"] == {"0": [1]}
    assert np.any(marked.labels(FRAMES - 1))

    marked.change("Control+z")
    assert marked.state["labelled"] == stopped["labelled"], "the rest is an action of its own"


# Undo and redo.


def known(studio, video):
    """What undo and redo have to bring back: the tables, and all masks to the pixel."""
    state = studio.client.get(video).json()
    masks = {
        int(frame): studio.client.get(f"{video}/maps/{name}.png").content
        for frame, name in state["labelled"].items()
    }
    return {key: state[key] for key in ("objects", "pins", "labelled", "scores")}, masks


def mask_is_shown(person, shown):
    """Waits until the middle of the square has the object's colour, or has it no more."""
    red_green_blue = bytes.fromhex(objects.colour_of(1)[1:])
    for _ in range(200):
        if (bytes(person.colour(SQUARE // 2, SQUARE // 2)) == red_green_blue) == shown:
            return
        person.page.wait_for_timeout(25)
    raise AssertionError("the mask is " + "not " * shown + "shown")


@pytest.mark.parametrize("how", ["button", "key"])
def test_redo_brings_back_exactly_the_masks_that_undo_took(marked, studio, video, how):
    undo, redo = marked.page.locator("#undo"), marked.page.locator("#redo")

    def step(button, key, line):
        with marked.saved():
            if how == "button":
                button.click()
            else:
                marked.press(key)
        marked.reads(line)

    assert redo.is_disabled()
    states = [known(studio, video)]
    alpha = marked.page.locator("#alpha")
    alpha.fill("1")
    alpha.blur()
    mask_is_shown(marked, True)
    marked.track()
    states.append(known(studio, video))
    marked.press("End", "d")
    marked.drag((30, 30), (50, 30))
    states.append(known(studio, video))
    marked.press("Home")

    step(undo, "Control+z", "Undone: brush on frame 11.")
    assert known(studio, video) == states[1]
    step(undo, "Control+z", "Undone: forward from frame 0.")
    assert known(studio, video) == states[0]
    step(undo, "Control+z", "Undone: polygon on frame 0.")
    assert marked.state["labelled"] == {}
    mask_is_shown(marked, False)
    step(redo, "Control+Shift+z", "Done again: polygon on frame 0.")
    assert known(studio, video) == states[0]
    mask_is_shown(marked, True)
    step(redo, "Control+y", "Done again: forward from frame 0.")
    assert known(studio, video) == states[1]
    step(redo, "Control+y", "Done again: brush on frame 11.")
    assert known(studio, video) == states[2]
    assert redo.is_disabled()
