"""A server that is killed: the page says so, connects again, and nothing is lost."""

import numpy as np
import pytest
from support.studio_process import StudioProcess


@pytest.fixture(scope="module")
def studio(chromium, tmp_path_factory):
    """A studio of this file's own, which it kills."""
    process = StudioProcess(tmp_path_factory.mktemp("doomed") / "project").start()
    yield process
    process.stop()


@pytest.fixture
def painted(person, film):
    person.choose_file(film)
    person.press("d")
    person.drag((50, 50), (90, 50))
    return person


def test_a_killed_server_is_told_and_comes_back_with_everything(painted, studio):
    before, labels = painted.state, painted.labels(0)
    studio.kill()
    banner = painted.page.locator("#offline")
    banner.filter(has_text="The connection to the server is lost").wait_for()
    painted.press("n")
    painted.reads("The server does not answer.")
    assert painted.objects == ["Object 1"]
    studio.start()
    banner.wait_for(state="hidden", timeout=20000)
    painted.reads("Connected again.")
    assert painted.state == before
    np.testing.assert_array_equal(painted.labels(0), labels)
    painted.drag((50, 80), (90, 80))
    assert painted.labels(0)[80, 70] == 1


def test_a_server_killed_in_mid_tracking_keeps_the_frames_that_it_made(painted, studio):
    painted.press("t")
    painted.until("Number(document.getElementById('job-progress').value) > 0", 90)
    studio.kill()
    studio.start()
    painted.page.locator("#offline").wait_for(state="hidden", timeout=20000)
    state = painted.state
    assert state["job"] is None or state["job"]["state"] != "running"
    assert "0" in state["labelled"]
    assert painted.page.locator("#job").is_hidden()
    painted.track()
    assert len(painted.state["labelled"]) == state["frames"]
