"""Crops, and their way back into the frame."""

import numpy as np
import pytest

from vosjax.refine.zoom.crops import crop, crop_labels, resize_image, resize_labels, resize_probs
from vosjax.refine.zoom.paste import by_odds, paste, taper

RNG = np.random.default_rng(0)
FRAME = RNG.integers(0, 256, (40, 60, 3)).astype(np.uint8)


def test_a_crop_is_a_part_of_the_frame():
    np.testing.assert_array_equal(crop(FRAME, (5, 7), 16), FRAME[7:23, 5:21])


def test_outside_of_the_frame_a_crop_repeats_the_edge_and_labels_are_background():
    image = crop(FRAME, (-4, -2), 50)
    np.testing.assert_array_equal(image[:3, :5], np.broadcast_to(FRAME[0, 0], (3, 5, 3)))
    np.testing.assert_array_equal(image[42:, 4:], np.broadcast_to(FRAME[39, :46], (8, 46, 3)))
    labels = crop_labels(np.ones((40, 60), np.uint8), (-4, -2), 50)
    assert labels.sum() == 40 * 46 and labels[2:42, 4:].all()


def test_resized_labels_hold_no_others():
    labels = np.zeros((8, 8), np.uint8)
    labels[:4], labels[4:, :4] = 3, 200
    assert set(np.unique(resize_labels(labels, (29, 29)))) == {0, 3, 200}


@pytest.mark.parametrize("side", [8, 32])
def test_resized_images_keep_their_mean(side):
    smooth = np.repeat(np.linspace(20, 200, 16).astype(np.uint8)[:, None], 16, 1)
    image = np.repeat(smooth[..., None], 3, 2)
    resized = resize_image(image, (side, side))
    assert resized.shape == (side, side, 3)
    assert abs(float(resized.mean()) - float(image.mean())) < 1.5


def test_shrunk_probabilities_are_means_and_sum_to_one():
    probs = RNG.dirichlet([1, 1, 1], (64, 64)).transpose(2, 0, 1).astype(np.float32)
    small = resize_probs(probs, 16)
    np.testing.assert_allclose(small, probs.reshape(3, 16, 4, 16, 4).mean((2, 4)), atol=1e-6)
    np.testing.assert_allclose(resize_probs(probs, 100).sum(0), 1, atol=1e-5)


def test_the_taper_is_one_inside_and_falls_to_zero_over_a_tenth():
    weights = taper(100)
    assert (weights[10:90, 10:90] == 1).all()
    assert weights[50, 0] == pytest.approx(0.05) and weights[0, 0] == pytest.approx(0.05)
    assert (np.diff(weights[50, :10]) > 0).all()
    np.testing.assert_array_equal(weights, weights[::-1, ::-1].T)


def frame_probs(object_probability, size=(40, 60), objects=2):
    probs = np.full((objects + 1, *size), 0.05, np.float32)
    probs[1] = object_probability
    probs[0] = 1 - probs[1:].sum(0)
    return probs


def test_outside_of_the_crop_nothing_changes():
    probs, zoomed = frame_probs(0.2), frame_probs(0.9, (16, 16))
    refined = paste(probs, zoomed, (5, 7), 1, 1.0)
    outside = np.ones((40, 60), bool)
    outside[7:23, 5:21] = False
    np.testing.assert_array_equal(refined[:, outside], probs[:, outside])


def test_a_trusted_crop_decides_and_one_without_trust_changes_nothing():
    probs, zoomed = frame_probs(0.2), frame_probs(0.9, (16, 16))
    labels = paste(probs, zoomed, (5, 7), 1, 1.0).argmax(0)
    assert (labels[10:20, 8:18] == 1).all() and (probs.argmax(0) == 0).all()
    np.testing.assert_array_equal(paste(probs, zoomed, (5, 7), 1, 0.0), probs)


def test_half_a_trust_is_the_mean():
    probs, zoomed = frame_probs(0.2, objects=1), frame_probs(0.6, (16, 16), objects=1)
    inner = paste(probs, zoomed, (5, 7), 1, 0.5)[:, 15, 13]
    np.testing.assert_allclose(inner, by_odds(np.float32([0.6, 0.4])), rtol=1e-5)


def test_other_objects_rise_only_where_the_crop_prefers_them():
    probs, zoomed = frame_probs(0.5), frame_probs(0.1, (16, 16))
    zoomed[2, :, 8:], zoomed[0, :, 8:] = 0.8, 0.1
    labels = paste(probs, zoomed, (5, 7), 1, 1.0).argmax(0)
    assert (labels[10:20, 14:18] == 2).all()
    assert (labels[10:20, 8:12] == 0).all()
    lower = frame_probs(0.9, (16, 16))
    assert (paste(probs, lower, (5, 7), 1, 1.0)[2, 15, 13] <= probs[2, 15, 13]).all()


def test_refined_probabilities_sum_to_one():
    zoomed = RNG.dirichlet([1, 1, 1], (16, 16)).transpose(2, 0, 1).astype(np.float32)
    refined = paste(frame_probs(0.3), zoomed, (0, 24), 2, 0.5)
    np.testing.assert_allclose(refined.sum(0), 1, atol=1e-5)
