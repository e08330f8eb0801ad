"""Makes docs/pictures/studio-*.png: the studio's page in its main states, on the sample clip.

    python -m docs.make_studio_pictures

A studio is started over a folder of its own, and a headless Chromium is led through it as a person
would go; it needs the extra `web`, playwright and Chromium.
"""

import contextlib
import io
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np
from PIL import Image

from vosjax.data.synthetic.sample import sample_clip
from vosjax.io.terminal import say

PICTURES = pathlib.Path(__file__).parent / "pictures"
SIZE = {"width": 1280, "height": 800}
TELEPHONE = {"width": 390, "height": 844}
COLOURS = 255  # of a picture's palette, which keeps it below 150 kB
PATIENCE = 120  # seconds until the studio answers
NAMES = {1: "Creature", 2: "Ball", 3: "Fish"}


def make(folder: pathlib.Path = PICTURES) -> None:
    """Goes through the page and writes the pictures."""
    clip = sample_clip()
    with tempfile.TemporaryDirectory() as temporary:
        film = pathlib.Path(temporary) / "meadow.mp4"
        write_film(film, clip["frames"])
        with studio(pathlib.Path(temporary) / "My videos") as address, browser() as chromium:
            page = chromium.new_page(viewport=SIZE, color_scheme="light")
            go_through(page, address, film, clip["labels"], shots_into(folder))


def shots_into(folder: pathlib.Path) -> Callable[[Any, str], None]:
    """Returns what writes a page's picture under a name, with a palette."""

    def shoot(page: Any, name: str) -> None:
        page.wait_for_timeout(400)
        image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        path = folder / f"studio-{name}.png"
        image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        say(f"{path}: {path.stat().st_size / 1000:.0f} kB")

    return shoot


def go_through(page: Any, address: str, film: pathlib.Path, labels: np.ndarray, shoot: Any) -> None:
    """Marks three objects, tracks them, looks at a low score, and opens the dialogues."""
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    page.set_input_files("#file", str(film))
    page.wait_for_selector("body[data-view=editor]")
    for number, name in NAMES.items():
        if number > 1:
            page.keyboard.press("n")
            page.locator("#objects .label").nth(number - 1).wait_for()
        x, y, width, height = box_of(labels[0] == number)
        page.keyboard.press("b")
        press_and_drag(page, spot(page, x, y, labels), spot(page, x + width, y + height, labels))
        settle(page)
        page.keyboard.press("F2")
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        settle(page)
    page.keyboard.press("1")
    page.keyboard.press("c")
    page.mouse.click(*spot(page, *middle(labels[0] == 1), labels))
    settle(page)
    shoot(page, "marking")
    page.keyboard.press("t")
    page.locator("#status", has_text="frames tracked").wait_for(timeout=300_000)
    page.emulate_media(color_scheme="dark")
    page.locator("#frame-number").fill("14")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    shoot(page, "tracked")
    page.keyboard.press("?")
    shoot(page, "keyboard")
    page.keyboard.press("Escape")
    page.emulate_media(color_scheme="light")
    page.keyboard.press("e")
    shoot(page, "export")
    page.keyboard.press("Escape")
    page.set_viewport_size(TELEPHONE)
    shoot(page, "telephone")


def settle(page: Any) -> None:
    """Waits until the server has what was done, and the page shows it."""
    page.wait_for_timeout(150)
    page.locator("#saved-text", has_text="Saved").wait_for(timeout=60_000)


def press_and_drag(page: Any, first: tuple[float, float], last: tuple[float, float]) -> None:
    """Draws from one corner to the other."""
    page.mouse.move(*first)
    page.mouse.down()
    page.mouse.move(*last, steps=5)
    page.mouse.up()


def spot(page: Any, x: float, y: float, labels: np.ndarray) -> tuple[float, float]:
    """Returns where a pixel of the video is on the screen; a margin of 16 pixels is around it."""
    box = page.locator("#stage").bounding_box()
    height, width = labels.shape[1:]
    scale = min((box["width"] - 32) / width, (box["height"] - 32) / height)
    return (
        box["x"] + box["width"] / 2 + (x - width / 2) * scale,
        box["y"] + box["height"] / 2 + (y - height / 2) * scale,
    )


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Returns (x, y, width, height) of a mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y


def middle(mask: np.ndarray) -> tuple[float, float]:
    """Returns (x, y) of the pixel of a mask nearest to its middle."""
    points = np.argwhere(mask)
    y, x = points[np.abs(points - points.mean(0)).sum(1).argmin()]
    return float(x), float(y)


def write_film(path: pathlib.Path, frames: np.ndarray) -> None:
    """Writes frames uint8 [T, H, W, 3] as a video file."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=12, options={"crf": "12"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for image in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        film.mux(stream.encode())


@contextlib.contextmanager
def studio(folder: pathlib.Path) -> Iterator[str]:
    """A studio in a process of its own, as long as the block lasts; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vosjax", "studio", "--no-browser"]
    process = subprocess.Popen([*command, f"--project={folder}", f"--port={port}"])
    try:
        address = f"http://127.0.0.1:{port}"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            try:
                urllib.request.urlopen(f"{address}/api/project").close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium: the system's, or playwright's own."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


if __name__ == "__main__":
    make()
