"""Key-point voting: correct members weigh more, members that cannot be judged weigh the same."""

from typing import NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.types import Spec, When
from vosjax.voting import fusion, keypoints

SIZE = (160, 240)
NOWHERE = np.zeros((2, 4), np.int32)


def textured(seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (20, 30), dtype=np.uint8)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def scene(shift):
    """Two textured squares that move over a textured ground, grey, and their labels."""
    frame, labels = textured(0), np.zeros(SIZE, np.int32)
    for key, (x, y) in ((1, (30 + shift, 30)), (2, (150 - shift, 70))):
        frame[y : y + 60, x : x + 60] = textured(key)[:60, :60]
        labels[y : y + 60, x : x + 60] = key
    return frame, labels


def masks(truth):
    """Of three networks: one right, one that swaps the objects, one that lost the second."""
    return np.stack([truth, np.array([0, 2, 1])[truth], np.where(truth == 2, 0, truth)])


def detect(grey, boxes=NOWHERE, method="sift"):
    return keypoints.detect(grey, boxes, method=method)


def matched(points, reference, labels, method="sift"):
    one = keypoints.Points(*(part[None] for part in reference))
    return keypoints.match(
        points, one, labels[None], np.ones(1, np.float32), objects=2, method=method
    )


class Judged(NamedTuple):
    points: keypoints.Points
    truth: np.ndarray
    votes: np.ndarray
    counts: np.ndarray
    quality: np.ndarray


@pytest.fixture(scope="module", params=["sift", "orb"])
def judged(request):
    before, labels = scene(0)
    after, truth = scene(6)
    reference, points = (detect(grey, method=request.param) for grey in (before, after))
    carried = np.asarray(fusion.carried(reference.places, jnp.asarray(labels)))
    votes, counts = matched(points, reference, carried, request.param)
    x, y = np.rint(points.places).astype(int).T
    return Judged(
        points, truth, votes, counts, np.asarray(fusion.qualities(votes, masks(truth)[:, y, x]))
    )


def test_a_frame_s_points_have_a_fixed_size(judged):
    assert judged.points.places.shape == (keypoints.MOST, 2)
    assert judged.points.descriptors.dtype == np.uint8
    assert 100 < (judged.points.places[:, 0] >= 0).sum() < keypoints.MOST


def test_matches_carry_the_right_labels(judged):
    points, labels = np.nonzero(judged.votes)
    x, y = np.rint(judged.points.places[points]).astype(int).T
    right = judged.truth[y, x] == labels
    assert len(right) > 20 and right.mean() > 0.95


def test_a_right_mask_is_of_better_quality_than_a_swapped_or_lost_one(judged):
    assert judged.counts.min() >= 5 and judged.quality.shape == (3, 2)
    assert judged.quality[0].min() > 0.7
    assert judged.quality[1].max() < 0.3 and judged.quality[2, 1] < 0.3


def test_the_quality_is_a_smoothed_dice_coefficient():
    """By hand: of 1.5 votes for object 1 one is inside, as is half a vote for the background."""
    votes = np.array([[0, 1.0], [0, 0.5], [0.5, 0]])
    np.testing.assert_allclose(fusion.qualities(votes, np.array([[1, 0, 1]])), [[3 / 5]])


def test_networks_that_are_right_weigh_more(judged):
    weights = fusion.weigh(judged.quality, judged.counts[1:])
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-6)
    assert weights[0, 1] > weights[1, 1] and weights[0, 1] > weights[2, 1]


def test_points_less_than_two_pixels_inside_their_region_carry_no_label():
    places = jnp.array([[30, 60], [31, 60], [89, 60], [60, 60], [-1, -1]], jnp.float32)
    labels = jnp.asarray(scene(0)[1])
    assert fusion.carried(places, labels).tolist() == [-1, 1, -1, 1, -1]


def test_boxes_are_those_of_opencv():
    labels = scene(7)[1]
    expected = [cv2.boundingRect((labels == key).astype(np.uint8)) for key in (1, 2)] + [[0] * 4]
    np.testing.assert_array_equal(fusion.boxes(jnp.asarray(labels), 3), expected)


def test_small_objects_are_looked_at_twice():
    grey, box = scene(0)[0], np.array([[30, 30, 60, 60], [0, 0, 0, 0]], np.int32)
    once, twice = (
        part.places[part.places[:, 0] >= 0] for part in (detect(grey), detect(grey, box))
    )
    more = len(twice) - len(once)
    assert more > 0
    inside = (twice[:more] >= 14) & (twice[:more] <= 106)
    assert inside.all()


def test_an_object_of_one_pixel_has_no_points():
    assert (detect(np.zeros(SIZE, np.uint8), np.array([[239, 159, 1, 1]])).places == -1).all()


def test_many_small_objects_leave_points_for_the_frame():
    grey = np.random.default_rng(0).integers(0, 255, SIZE).astype(np.uint8)
    boxes = np.tile(np.array([[10, 10, 90, 90]], np.int32), (20, 1))
    places = detect(grey, boxes).places
    assert (places[:, 0] > 120).sum() > 60


class Videos(NamedTuple):
    """What frames of voting give: probabilities of each, and the last state."""

    probs: np.ndarray
    state: fusion.VotingState


PROBS = jax.nn.one_hot(masks(scene(0)[1]), 3, axis=1) * 0.8 + 0.2 / 3


def play(frames, probs=PROBS, capacity=2):
    """The frames through voting, in one compiled step; the first one's truth is given."""
    rule = fusion.keypoint_fusion()
    truth = jax.nn.one_hot(scene(0)[1], 3, axis=0)

    traces = []

    @jax.jit
    def step(state, frame, annotated, time):
        traces.append(time)
        fused, aux = rule.fuse(state, rule.encode(frame), probs)
        when = When(annotated, jnp.asarray(True), time)
        decided = jnp.where(annotated, truth, fused)
        return rule.commit(state, aux, decided, jnp.full(2, annotated), when), fused

    state, fused_frames = rule.init(Spec(*SIZE, 2, capacity), len(probs)), []
    for time, grey in enumerate(frames):
        frame = jnp.asarray(np.repeat(grey[..., None], 3, 2), jnp.float32) / 255
        state, fused = step(state, frame, time == 0, time)
        fused_frames.append(fused)
    assert len(traces) == 1
    return Videos(np.stack(fused_frames), state)


def test_the_first_frame_is_the_mean():
    np.testing.assert_allclose(play([scene(0)[0]]).probs[0], PROBS.mean(0), atol=1e-6)


def test_frames_without_matches_are_the_mean():
    np.testing.assert_allclose(
        play([np.zeros(SIZE, np.uint8)] * 3).probs[-1], PROBS.mean(0), atol=1e-6
    )


def test_the_network_that_is_right_wins_against_two():
    """Two of three networks miss object 2; the mean does too."""
    truth = scene(0)[1]
    assert (PROBS.mean(0).argmax(0)[truth == 2] == 2).mean() == 0
    probs = play([scene(0)[0]] * 4).probs
    assert (probs[-1].argmax(0) == truth).mean() > 0.99


def test_it_looks_back_to_annotated_frames_and_to_four_others():
    state = play([np.zeros(SIZE, np.uint8)] * 16).state
    trust = np.asarray(fusion.trusts(state.bank))
    asked = {16 - int(state.bank.time[i]): trust[i] for i in np.flatnonzero(trust)}
    assert sorted(asked) == [1, 3, 6, 10, 16] and asked[16] == 1
    np.testing.assert_allclose(asked[3], 0.9**3, rtol=1e-6)


def test_nothing_is_remembered_before_something_is_given():
    rule = fusion.keypoint_fusion()
    state = rule.init(Spec(*SIZE, 2, 1), 3)
    fused, aux = rule.fuse(state, jnp.asarray(scene(0)[0]), PROBS)
    after = rule.commit(
        state,
        aux,
        fused,
        jnp.zeros(2, bool),
        When(jnp.asarray(False), jnp.asarray(True), jnp.int32(0)),
    )
    assert not after.bank.valid.any()
