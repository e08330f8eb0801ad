"""`vosjax.track_box` with the embedded network: a textured disc is followed, and lost at last."""

import cv2
import numpy as np
import pytest
from support import toy

import vosjax
from vosjax.boxes.protocol import FLAGS, NORMAL, NOT_FOUND
from vosjax.errors import InputError

FRAMES, SHOWN, SIDE = 34, 30, 40  # the disc is there in the first 30


def texture(rng, height, width, cell):
    coarse = rng.uniform(0, 255, (height // cell + 2, width // cell + 2, 3))
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255)


@pytest.fixture(scope="module")
def film():
    """(frames uint8 [160, 224, 3], boxes) of a disc that moves over a textured background."""
    rng = np.random.default_rng(0)
    background, surface = texture(rng, 160, 224, 14) / 2 + 60, texture(rng, SIDE, SIDE, 7)
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    disc = (rows**2 + columns**2 < (SIDE / 2) ** 2)[..., None]
    frames, boxes = [], []
    for time in range(FRAMES):
        x, y = 30 + 4 * time, round(60 + 20 * np.sin(time / 5))
        frame = background.copy()
        if time < SHOWN:
            square = frame[y : y + SIDE, x : x + SIDE]
            square[:] = np.where(disc, surface, square)
        noisy = frame + rng.normal(0, 3, frame.shape)
        frames.append(noisy.clip(0, 255).astype(np.uint8))
        boxes.append((x, y, SIDE, SIDE))
    return frames, boxes


@pytest.fixture(scope="module")
def results(film):
    return list(vosjax.track_box(film[0], film[1][0]))


def test_every_frame_has_a_result(film, results):
    assert [index for index, _ in results] == list(range(FRAMES))
    box, score, flag = results[0].output
    assert box.tolist() == list(film[1][0]) and score == 1 and flag == NORMAL


def test_the_disc_is_followed_within_a_few_pixels(film, results):
    for (_, (box, score, flag)), truth in zip(results[:SHOWN], film[1]):
        assert np.abs(box - truth).max() <= 4
        assert flag != NOT_FOUND and score > 0.4


def test_the_lost_disc_is_flagged_and_its_last_box_kept(results):
    last = results[SHOWN - 1].output.box
    for _, (box, score, flag) in results[SHOWN:]:
        assert FLAGS[int(flag)] == "not_found" and score < 0.25
        assert np.array_equal(box, last)


@pytest.mark.parametrize(
    "box, words",
    [
        ((1, 2, 3), "four finite numbers"),
        ("nonsense", "four finite numbers"),
        ((1, 2, float("nan"), 4), "four finite numbers"),
        ((10, 10, 0, 20), "at least one pixel"),
        ((300, 10, 20, 20), "outside of the video, which is 224x160"),
        ((-30, 10, 20, 20), "outside of the video"),
    ],
)
def test_what_is_no_box_is_refused(film, box, words):
    with pytest.raises(InputError, match=words):
        vosjax.track_box(film[0], box)


def test_a_network_without_an_appearance_is_refused(film):
    with pytest.raises(InputError, match="gives no appearance"):
        vosjax.track_box(film[0], film[1][0], model=toy.model())


def test_weights_of_another_family_and_two_networks_are_refused(film):
    with pytest.raises(InputError, match="family 'aot'.*'dimp'.*expected"):
        vosjax.track_box(film[0], film[1][0], weights="default")
    with pytest.raises(InputError, match="takes one of them"):
        vosjax.track_box(film[0], film[1][0], weights="a", model="b")
