"""The page's modules by themselves: label maps, the cache, jumps on the timeline."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

LABELS = np.random.default_rng(0).integers(0, 4, (24, 33), np.uint8).repeat(2, 1)


@pytest.fixture(scope="module")
def page(chromium, studio):
    """A page of the studio, whose modules can be imported."""
    page = chromium.new_page()
    page.goto(studio.address)
    page.wait_for_selector("body[data-ready]")
    yield page
    page.close()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def filtered(labels, kind):
    """The lines of a PNG under one of its five filters, as the specification has them."""
    lines, above = [], np.zeros(labels.shape[1], int)
    for row in labels.astype(int):
        left, corner = np.r_[0, row[:-1]], np.r_[0, above[:-1]]
        guess = left + above - corner
        distances = np.abs(np.stack([guess - left, guess - above, guess - corner]))
        paeth = np.choose(distances.argmin(0), [left, above, corner])
        taken = [0 * row, left, above, (left + above) // 2, paeth][kind]
        lines.append(bytes([kind]) + ((row - taken) % 256).astype(np.uint8).tobytes())
        above = row
    return b"".join(lines)


def png(labels, kind):
    height, width = labels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(filtered(labels, kind))
    parts = (b"IHDR", header), (b"IDAT", data[:50]), (b"IDAT", data[50:]), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def decoded(page, data):
    """What the page makes of a PNG."""
    answer = page.evaluate(
        """async (bytes) => {
          const { decodeLabels } = await import("/page/png.js");
          const { width, height, labels } = await decodeLabels(new Uint8Array(bytes).buffer);
          return [width, height, [...labels]];
        }""",
        list(data),
    )
    return np.array(answer[2], np.uint8).reshape(answer[1], answer[0])


@pytest.mark.parametrize("kind", range(5))
def test_label_maps_are_read_exactly_under_every_filter(page, kind):
    data = png(LABELS, kind)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(data))), LABELS)  # a true PNG
    np.testing.assert_array_equal(decoded(page, data), LABELS)


def test_a_map_that_ends_too_early_is_refused(page):
    with pytest.raises(Exception, match="the PNG file is damaged"):
        decoded(page, png(LABELS, 0)[:80])


def test_the_cache_stays_below_its_limit_and_forgets_the_oldest_use(page):
    kept, closed, most = page.evaluate(
        """async () => {
          const { Lru } = await import("/page/lru.js");
          const closed = [];
          const cache = new Lru(100, (value) => closed.push(value));
          let most = 0;
          for (const key of ["a", "b", "c", "a", "d", "e"]) {
            if (!cache.get(key)) cache.set(key, key, 30);
            most = Math.max(most, cache.bytes);
          }
          return [["a", "b", "c", "d", "e"].filter((key) => cache.has(key)), closed, most];
        }"""
    )
    assert kept == ["a", "d", "e"]
    assert closed == ["b", "c"]
    assert most <= 100


def test_low_scores_are_found_run_by_run_but_where_the_object_is_marked(page):
    runs = page.evaluate(
        """async () => {
          const { lowRuns } = await import("/page/marks.js");
          const values = [0.9, 0.6, 0.5, 0.9, 0.4, 0.4, 0.3];
          const scores = Object.fromEntries(values.map((value, at) => [at, [value, 10, 0]]));
          return lowRuns({ scores: { 1: scores }, pins: { 2: [3], 4: [1, 3] } }, 1, 0.75);
        }"""
    )
    found = [(run["from"], run["to"], run["worst"]) for run in runs]
    assert found == [(1, 2, 2), (5, 6, 6)]


def test_an_object_that_goes_and_comes_back_is_two_changes(page):
    changes = page.evaluate(
        """async () => {
          const { changes } = await import("/page/marks.js");
          const gone = [0, 0, 1];
          return changes({ 3: [0.9, 5, 0], 4: gone, 5: gone, 6: [0.8, 4, 0], 9: gone });
        }"""
    )
    assert changes == [{"frame": 4, "absent": True}, {"frame": 6, "absent": False}]
