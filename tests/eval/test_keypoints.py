"""Key-point voting: who is right weighs more, who cannot be judged weighs the same."""

import cv2
import numpy as np
import pytest

from vosjax.eval import keypoints

SIZE = (160, 240)


def textured(seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def scene(shift):
    """Two textured squares that move over a textured ground, and their labels."""
    frame, labels = textured(0), np.zeros(SIZE, np.uint8)
    for key, (x, y) in ((1, (30 + shift, 30)), (2, (150 - shift, 70))):
        frame[y:y + 60, x:x + 60] = textured(key)[:60, :60]
        labels[y:y + 60, x:x + 60] = key
    return frame, labels


@pytest.fixture(scope="module", params=["sift", "orb"])
def judged(request):
    before, labels = scene(0)
    after, truth = scene(6)
    reference = keypoints.refer(keypoints.detect(before, labels, method=request.param), labels, 1.0)
    votes = keypoints.match([reference], keypoints.detect(after, labels, method=request.param),
                            SIZE, method=request.param)
    swapped = np.array([0, 2, 1], np.uint8)[truth]
    lost = np.where(truth == 2, 0, truth)
    masks = np.stack([truth, swapped, lost])
    return votes, truth, keypoints.qualities(votes, masks, (1, 2))


def test_matches_carry_the_right_labels(judged):
    votes, truth, _ = judged
    right = truth[votes.places[:, 1], votes.places[:, 0]] == votes.labels
    assert len(right) > 20 and right.mean() > 0.95


def test_a_right_mask_is_of_better_quality_than_a_swapped_or_lost_one(judged):
    quality, counts = judged[2]
    assert counts.min() >= 5
    assert quality[0].min() > 0.7 and quality[1].max() < 0.3 and quality[2, 1] < 0.3


def test_models_that_are_right_weigh_more(judged):
    weights = keypoints.weigh(*judged[2])
    np.testing.assert_allclose(weights.sum(0), 1)
    assert weights[0, 1] > weights[1, 1] and weights[0, 1] > weights[2, 1]


def test_without_matches_it_is_the_mean():
    votes = keypoints.match([], keypoints.detect(np.zeros((*SIZE, 3), np.uint8), None), SIZE)
    masks = np.zeros((3, *SIZE), np.uint8)
    weights = keypoints.weigh(*keypoints.qualities(votes, masks, (1, 2)))
    np.testing.assert_allclose(weights, 1 / 3)
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (3, 4, 5)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(keypoints.fuse(probs, weights), probs.mean(0))


def test_points_at_a_region_s_edge_carry_no_label():
    points = keypoints.Points(np.array([[30.0, 60.0], [60.0, 60.0]], np.float32), np.zeros((2, 4)))
    labels = scene(0)[1]
    assert keypoints.refer(points, labels, 1.0).labels.tolist() == [-1, 1]


def test_small_objects_are_looked_at_twice():
    frame, labels = scene(0)
    small = np.where(labels == 1, labels, 0)
    once, twice = keypoints.detect(frame, None), keypoints.detect(frame, small)
    assert len(twice.places) > len(once.places)
    assert twice.places[len(once.places):, 0].max() < 110
