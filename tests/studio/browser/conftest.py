"""One studio for all tests, one browser for those of a file, one tab for each test.

Playwright's loop runs in the thread of the tests for as long as its browser is there, and no other
test of the process may begin a loop of its own meanwhile: a file's browser ends with the file.
"""

import pytest
from support.films import write_film
from support.studio_person import Person, browser
from support.studio_process import StudioProcess

from vosjax.data.synthetic.sample import sample_clip

FRAMES = 16


@pytest.fixture(scope="module")
def chromium():
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    process = StudioProcess(tmp_path_factory.mktemp("studio") / "project").start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def clip():
    """frames uint8 [T, H, W, 3] and labels uint8 [T, H, W] of a creature, a ball and a fish."""
    sample = sample_clip()
    return sample["frames"][:FRAMES, ::2, ::2], sample["labels"][:FRAMES, ::2, ::2]


@pytest.fixture(scope="session")
def film(clip, tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("films") / "creature.mp4", list(clip[0]))


@pytest.fixture
def person(chromium, studio):
    """A person with the studio open in a new browser window."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(15000)
    yield Person(context.new_page(), studio.address)
    context.close()
