"""The two methods without a network: the first mask copied, and carried by optical flow."""

import cv2
import numpy as np
import pytest
from PIL import Image

from vosjax.bench import baselines
from vosjax.io.palette import write_label_png

SIZE, SPEED = (96, 128), 4  # of the frames; pixels to the right in each


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A dataset in DAVIS's layout: one clip in which everything moves by `SPEED`."""
    root = tmp_path_factory.mktemp("data")
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[0], 2 * SIZE[1]), np.uint8)
    scene = cv2.GaussianBlur(noise, (0, 0), 2)
    for index in range(5):
        left = 100 - SPEED * index
        frame = np.repeat(scene[:, left : left + SIZE[1], None], 3, 2)
        labels = np.zeros(SIZE, np.uint8)
        labels[30:60, 30 + SPEED * index : 60 + SPEED * index] = 1
        path = root / "JPEGImages" / "480p" / "clip" / f"{index:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(path, quality=95)
        write_label_png(root / "Annotations" / "480p" / "clip" / f"{index:05d}.png", labels)
    return root


def test_a_copied_mask_overlaps_with_what_has_not_moved_away(data):
    table = baselines.measure(data, baselines.copied)["sequences"]["clip"]
    # Frames 1 to 3 are scored: an object of 30 columns has moved by 4, 8 and 12.
    assert table["J-Mean"] == pytest.approx(np.mean([(30 - d) / (30 + d) for d in (4, 8, 12)]))


def test_flow_follows_what_moves(data):
    assert baselines.measure(data, baselines.carried)["global"]["J-Mean"] > 0.9


def test_both_are_printed(data, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["baselines", "--data", str(data)])
    baselines.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["video", "clip", "mean"]
