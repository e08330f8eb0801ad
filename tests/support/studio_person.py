"""A person before the studio's page: looks at it and uses mouse and keyboard, by Playwright.

Positions are pixels of the video, as a person points at what is seen there.
"""

import contextlib
import io
import re
import shutil
import time

import httpx
import numpy as np
import pytest
from PIL import Image

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
]
MARGIN = 16  # CSS pixels around the picture; none in a narrow window
NARROW = 600


@contextlib.contextmanager
def browser():
    """A headless Chromium; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with api.sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        except api.Error as error:
            pytest.skip(f"no Chromium: {error.message.splitlines()[0]}")
        yield chromium
        chromium.close()


class Person:
    """One tab of the browser, and the person before it."""

    def __init__(self, page, address):
        """Opens the address; what goes wrong in the page's scripts fails `no_errors`."""
        self.page, self.address = page, address
        self.broken = []
        page.on("pageerror", lambda error: self.broken.append(str(error)))
        self.visit()

    def visit(self, place=""):
        """Opens the page, at a place as '#VIDEO/FRAME'."""
        self.page.goto(f"{self.address}/{place}")
        self.page.wait_for_selector("body[data-ready]")

    def reload(self):
        self.page.reload()
        self.page.wait_for_selector("body[data-ready]")

    # --- what is seen

    @property
    def video(self):
        """The id of the open video, as the address tells it."""
        return re.search(r"#([^/]+)/", self.page.url)[1]

    @property
    def state(self):
        """What the server knows of the open video."""
        return httpx.get(f"{self.address}/api/videos/{self.video}").json()

    def labels(self, frame):
        """The label map of a frame on the server, uint8 [H, W]; None if there is none."""
        name = self.state["labelled"].get(str(frame))
        if name is None:
            return None
        data = httpx.get(f"{self.address}/api/videos/{self.video}/maps/{name}.png").content
        return np.array(Image.open(io.BytesIO(data)))

    @property
    def frame(self):
        return int(self.page.locator("#ruler").get_attribute("aria-valuenow"))

    @property
    def objects(self):
        return self.page.locator("#objects .name").all_inner_texts()

    @property
    def chosen(self):
        return self.page.locator("#objects .chosen .label").inner_text()

    @property
    def status(self):
        """The line at the foot."""
        return self.page.locator("#status-text, #status-error").all_inner_texts()

    def reads(self, text):
        """Waits until the line at the foot holds a text."""
        self.page.locator("#status", has_text=text).wait_for()

    def colour(self, x, y):
        """The colour on the screen at a pixel of the video, (r, g, b)."""
        left, top = self.spot(x, y)
        area = {"x": left - 1, "y": top - 1, "width": 3, "height": 3}
        shot = Image.open(io.BytesIO(self.page.screenshot(clip=area))).convert("RGB")
        return shot.getpixel((1, 1))

    def spot(self, x, y):
        """Where a pixel of the video is on the screen, as long as the picture fits the window."""
        box = self.page.locator("#stage").bounding_box()
        state = self.state
        margin = 0 if box["width"] < NARROW else MARGIN
        scale = min(
            (box["width"] - 2 * margin) / state["width"],
            (box["height"] - 2 * margin) / state["height"],
        )
        return (
            box["x"] + box["width"] / 2 + (x - state["width"] / 2) * scale,
            box["y"] + box["height"] / 2 + (y - state["height"] / 2) * scale,
        )

    # --- what is done

    def choose_file(self, path):
        """Chooses a file from disk, and waits until its video is open."""
        self.page.set_input_files("#file", path)
        self.page.wait_for_selector("body[data-view=editor]", timeout=20000)
        self.until("location.hash.length > 1")

    def until(self, expression, seconds=15):
        """Waits until an expression of JavaScript holds.

        Playwright's own way needs `eval` in the page, which the page's policy forbids.
        """
        end = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, f"{expression} does not come; it says {self.status}"
            self.page.wait_for_timeout(25)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def click(self, x, y, **options):
        with self.saved():
            self.page.mouse.click(*self.spot(x, y), **options)

    def drag(self, *points, **options):
        """Presses at the first point, moves along the others, lets go at the last."""
        with self.saved():
            self.page.mouse.move(*self.spot(*points[0]))
            self.page.mouse.down(**options)
            for point in points[1:]:
                self.page.mouse.move(*self.spot(*point), steps=4)
            self.page.mouse.up(**options)

    @contextlib.contextmanager
    def saved(self):
        """Does something that changes the project, and waits until the server has it."""
        before = self.state["revision"]
        yield
        self.until("document.getElementById('saved-text').textContent === 'Saved'", 60)
        for _ in range(200):
            if self.state["revision"] > before:
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(f"nothing was changed; the page says {self.status}")

    def change(self, *keys):
        """Presses keys that change the project."""
        with self.saved():
            self.press(*keys)

    def track(self, key="t", timeout=90000):
        """Tracks, and waits for the end."""
        self.press(key)
        self.page.locator("#status", has_text="frames tracked").wait_for(timeout=timeout)

    def no_errors(self):
        """Nothing broke in the page, and no error is shown."""
        assert not self.broken
        line = self.page.locator("#status-error").inner_text()
        assert not line, line


def agreement(labels, truth, object_id=1):
    """J of an object in two label maps."""
    ours, theirs = labels == object_id, truth == object_id
    return (ours & theirs).sum() / max((ours | theirs).sum(), 1)
