"""Measures how fast the studio's page scrubs, in a headless Chromium.

    python -m docs.measure_studio [--height 720] [--frames 90]

A clip with a mask on every frame is loaded into the page's cache; then another frame is shown with
every paint, there and back. Told are frames a second (a browser paints 60 times at most), the
milliseconds of the page's own work for a paint, and the paints whose frame was not in the cache.
"""

import argparse
import io
import json
import pathlib
import tempfile
import urllib.request

import cv2
import numpy as np
from PIL import Image

from docs.make_studio_pictures import browser, studio, write_film
from vosjax.data.synthetic.sample import sample_clip
from vosjax.io.terminal import say

WINDOW = {"width": 1600, "height": 1000}


def measure(height: int = 720, frames: int = 90, paints: int = 300) -> dict:
    """Returns what the page measures, see vosjax/studio/page/measure.js."""
    images, labels = clip(height, frames)
    with tempfile.TemporaryDirectory() as temporary:
        film = pathlib.Path(temporary) / "clip.mp4"
        write_film(film, images)
        with studio(pathlib.Path(temporary) / "project") as address, browser() as chromium:
            video = request(f"{address}/api/videos?name=clip.mp4", film.read_bytes())["id"]
            for index, one in enumerate(labels):
                data = io.BytesIO()
                Image.fromarray(one).save(data, "PNG")
                request(f"{address}/api/videos/{video}/import?frame={index}", data.getvalue())
            page = chromium.new_page(viewport=WINDOW)
            page.goto(f"{address}/?measure#{video}/0")
            page.wait_for_selector("body[data-ready]")
            options = {"frames": frames, "paints": paints}
            return page.evaluate("(options) => measureScrubbing(options)", options)


def clip(height: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sample clip there and back at a height: images [T, H, W, 3], labels [T, H, W]."""
    sample = sample_clip()
    order = [*range(len(sample["frames"])), *reversed(range(len(sample["frames"])))]
    size = (2 * round(height * 16 / 18), height)
    indices = [order[index % len(order)] for index in range(frames)]
    images = [cv2.resize(sample["frames"][index], size) for index in indices]
    labels = [
        cv2.resize(sample["labels"][index], size, interpolation=cv2.INTER_NEAREST)
        for index in indices
    ]
    return np.stack(images), np.stack(labels).astype(np.uint8)


def request(address: str, body: bytes) -> dict:
    """Returns the answer to a POST."""
    return json.load(urllib.request.urlopen(urllib.request.Request(address, body, method="POST")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frames", type=int, default=90)
    chosen = parser.parse_args()
    got = measure(chosen.height, chosen.frames)
    say(
        f"{got['fps']:.1f} frames/s over {got['paints']} paints of {got['frames']} frames, "
        f"{chosen.height} lines, canvas {got['canvas'][0]} x {got['canvas'][1]}",
        f"own work for a paint: median {got['draw']['median']:.1f} ms, "
        f"95 % below {got['draw']['p95']:.1f} ms",
        f"not in the cache: {got['missed']}; the cache holds {got['cacheBytes'] / 2**20:.0f} MB",
    )
